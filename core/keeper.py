"""The process in which an instance lives, from its creation until everything that it held is released.

The keeper is the command line itself for `isoscope run`, and a process of its own (`isoscope.core.shim`) for one that
is detached. Everything but waiting is done on one thread, the one that calls `run`: instances are not thread-safe,
and what a backend starts may be bound to the life of the thread that started it (PR_SET_PDEATHSIG, prctl(2)). Others
hand their work over, and wait for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from isoscope.core.errors import InstanceFailed, IsoscopeError, StateError, WorkloadFailed
from isoscope.core.instance import Exit, Instance, Status
from isoscope.core.service import Service

_log = logging.getLogger(__name__)

OURS = 125  #: exit status for a workload that never ran because isoscope failed, as docker-run(1) has it


class Keeper:
    """Keeps one created instance. Call `serve`, perhaps `start`, then `run`, and `release` whatever happens.

    `remove` says whether the record goes with the instance; requests may set it.
    """

    def __init__(self, instance: Instance, *, remove: bool = False) -> None:
        self.instance = instance
        self.record = instance.record
        self.remove = remove
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._over = False  #: nothing more is taken on
        self._guard = threading.Lock()  #: between the end of that and what is handed over at the same time
        self._failure: IsoscopeError | None = None  #: why the workload never ran
        self.released, self._end = os.pipe2(os.O_CLOEXEC)  #: `released` hangs up once everything is released
        self._service = Service(self)

    # On the keeper's own thread

    def serve(self) -> None:
        """Take requests on the control socket from now on; most of them wait for `run`."""
        self._service.open()

    def start(self) -> None:
        """Start the instance. Raises what `Instance.start` raises; unless it was started before, `run` is then over."""
        try:
            self.instance.start()
        except StateError:
            raise
        except BaseException as error:
            self._failure = error if isinstance(error, IsoscopeError) else InstanceFailed(f"did not start: {error!r}")
            self._over = True
            raise
        threading.Thread(target=self._watch, name="isoscope-watch", daemon=True).start()
        self.record.facts = {"started_at": _now()}
        with contextlib.suppress(IsoscopeError):  # a full disk is no reason to end what runs
            self.record.save()

    def run(self) -> Exit | None:
        """Do what is asked until the workload ends or the instance is deleted. None when it never ran."""
        while not self._over:
            self._work.get()()
        return self.instance.exit

    def release(self) -> None:
        """Release the instance, leave the record of a stopped one, and answer everybody who waits. Idempotent."""
        with self._guard:
            self._over = True
        if self._end < 0:
            return
        try:
            self._delete()
        except Exception:
            _log.exception("%s is not released; isoscope gc will try again", self.record.name)
        finally:
            os.close(self._end)
            self._end = -1
            while not self._work.empty():  # whoever still handed something over is told that it is too late
                self._work.get()()
            self._service.close()
            os.close(self.released)

    # On any thread

    def do(self, operation: str, work: Callable[[], Any]) -> Any:
        """Have the keeper's thread do something, and return or raise what comes of it.

        Raises StateError, in the words of `operation`, when the instance has ended.
        """
        outcome: Future[Any] = Future()

        def task() -> None:
            try:
                if self._over:
                    raise self._stopped(operation)
                outcome.set_result(work())
            except BaseException as error:
                outcome.set_exception(error)

        with self._guard:
            if self._over:
                raise self._stopped(operation)
            self._work.put(task)
        return outcome.result()

    def forget(self) -> None:
        """On the keeper's thread: end the instance, and remove its record too."""
        self.remove = self._over = True

    def signal(self, signal_number: int) -> None:
        """Have a signal sent to the workload; an instance that was not started is removed. Fit for signal handlers."""
        self._work.put(lambda: self._signal(signal_number))

    def resize(self, rows: int, columns: int) -> None:
        """Have the workload's terminal resized. Fit for signal handlers."""
        self._work.put(lambda: self._try(lambda: self.instance.resize(rows, columns)))

    def exit(self) -> dict[str, Any]:
        """How the workload ended, as it stands in the record of a stopped instance."""
        if self._failure is None:
            return (self.instance.exit or Exit(signal=signal.SIGKILL)).as_dict()
        status = self._failure.command_status if isinstance(self._failure, WorkloadFailed) else OURS
        return {**Exit(code=status).as_dict(), "error": self._failure.as_dict()}

    @property
    def never_ran(self) -> bool:
        """Whether a start was tried in vain."""
        return self._failure is not None

    def proof(self) -> dict[str, str]:
        """What the instance shows itself to be; empty when it cannot say."""
        try:
            return self.instance.proof()
        except (IsoscopeError, OSError):
            return {}

    # Ours

    def _signal(self, signal_number: int) -> None:
        if self.instance.status is Status.CREATED:
            self.forget()
        else:
            self._try(lambda: self.instance.kill(signal_number))

    def _try(self, work: Callable[[], None]) -> None:
        """Do what nobody waits for: that it fails is no reason to give up the instance."""
        try:
            work()
        except StateError:  # it has just ended
            return
        except (IsoscopeError, OSError) as error:
            _log.warning("%s: %s", self.record.name, error)

    def _watch(self) -> None:
        with contextlib.suppress(InstanceFailed):
            self.instance.wait()
        self._work.put(self._finish)

    def _finish(self) -> None:
        self._over = True

    def _delete(self) -> None:
        proof = self.proof()
        self.instance.delete(keep_record=not self.remove)
        if self.remove:
            return
        timeline = dict(self.instance.timeline.moments)
        self.record.facts = {**self.record.facts, "ended_at": _now(), "timeline": timeline, "proof": proof}
        self.record.resources = {}
        self.record.exit = self.exit()
        self.record.save()

    def _stopped(self, operation: str) -> StateError:
        return StateError(self.record.name, operation=operation, status="stopped", allowed="running")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
