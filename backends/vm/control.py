"""The host's end of the control channel: frames to and from the guest's init."""

from __future__ import annotations

import itertools
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic_ns

from isoscope.backends.vm.endpoint import Endpoint
from isoscope.backends.vm.protocol import MAIN_STREAM, NUMBER, FrameReader, Kind, frame, parse_text
from isoscope.backends.vm.task import Task
from isoscope.core.errors import InstanceFailed
from isoscope.core.pump import Pump


class Control:
    """One guest's channel. Callbacks run on the pump's thread; the rest may be called from any."""

    def __init__(
        self,
        path: Path,
        pump: Pump,
        *,
        connected: Callable[[int], None],
        configured: Callable[[int], None],
        lost: Callable[[str], None],
    ) -> None:
        """`lost` is called when the guest cannot be heard any more, with the reason where it is not that QEMU hung up.

        The others get the moment on the monotonic clock.
        """
        self._configured, self._lost = configured, lost
        self.hello: dict[str, str] = {}  #: what the guest says it is
        self.gone = False
        self._reader = FrameReader()
        self._sending = threading.Lock()
        self._tasks: dict[int, Task] = {}
        self._streams = itertools.count(MAIN_STREAM)
        self._usage = threading.Condition()
        self._pids: int | None = None
        self._connection = threading.Event()
        self._endpoint = Endpoint(path, pump, connected=lambda: self._connect(connected), received=self._receive)

    def open(self, make: Callable[[Callable[[Kind, bytes], bool]], Task]) -> Task:
        """A task on a stream of its own; the first is the workload. `make` gets what sends frames of that stream."""
        stream = next(self._streams)
        task = make(lambda kind, payload: self.send(kind, stream, payload))
        self._tasks[stream] = task
        return task

    def wait_connected(self, timeout: float) -> bool:
        """Wait until QEMU has connected, or been given up with `lose`; False when neither was in time."""
        return self._connection.wait(timeout)

    def send(self, kind: Kind, stream: int = 0, payload: bytes = b"") -> bool:
        """Send a frame; False when the guest has gone, or has not read for half a minute."""
        with self._sending:
            return not self.gone and self._endpoint.send(frame(kind, stream, payload))

    def power_off(self) -> None:
        """Ask the guest to end; never waits, so that it can be called on the pump's thread."""
        self._endpoint.send_now(frame(Kind.POWEROFF))

    def pids(self, timeout: float) -> int | None:
        """Tasks of the workload and its execs; None when the guest does not say within `timeout` seconds."""
        with self._usage:
            self._pids = None
            if not self.send(Kind.USAGE):
                return None
            self._usage.wait_for(lambda: self._pids is not None, timeout)
            return self._pids

    def close(self) -> None:
        """Hang up. Idempotent."""
        self.gone = True
        self._endpoint.close()
        self.lose(InstanceFailed("the virtual machine was deleted", hint="it was ended while the command ran"))

    def lose(self, failure: InstanceFailed) -> None:
        """Tell everybody who waits that the guest has gone, and every task why."""
        self.gone = True
        self._connection.set()
        for task in list(self._tasks.values()):
            task.lose(failure)
        self._tasks.clear()

    def _connect(self, connected: Callable[[int], None]) -> None:
        connected(monotonic_ns())
        self._connection.set()

    def _receive(self, data: bytes) -> None:
        at_ns = monotonic_ns()
        if not data:
            self._hang_up("")
            return
        try:
            for kind, stream, payload in self._reader.feed(data):
                self._take(kind, stream, payload, at_ns)
        except (ValueError, struct.error):  # whoever is root in the guest can make its init say anything
            self._hang_up("its init said what none of ours says")
        except OSError as error:
            self._hang_up(f"its output cannot be kept: {error.strerror}")

    def _hang_up(self, why: str) -> None:
        """The guest then powers itself off."""
        self.gone = True
        self._endpoint.close()
        self._lost(why)

    def _take(self, kind: int, stream: int, payload: bytes, at_ns: int) -> None:
        match kind:
            case Kind.HELLO:
                self.hello = parse_text(payload)
            case Kind.CONFIGURED:
                self.hello |= parse_text(payload)
                self._configured(at_ns)
            case Kind.USAGE_REPLY:
                with self._usage:
                    (self._pids,) = NUMBER.unpack(payload)
                    self._usage.notify_all()
            case _ if (task := self._tasks.get(stream)) is not None:
                if kind in (Kind.EXIT, Kind.FAILED):
                    del self._tasks[stream]
                task.take(kind, payload, at_ns)
