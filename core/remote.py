"""An instance that another process keeps, with the verbs that it has at home."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from isoscope.core.control import receive, send, unpack_error, unpack_exit
from isoscope.core.errors import InputError, InstanceFailed, IsoscopeError, NotFound, StateError, Timeout
from isoscope.core.instance import Execution, Exit, Stats
from isoscope.core.output import Stdio
from isoscope.core.registry import Record, Registry

#: Seconds for what needs nothing but the keeper's attention. One that is stopped or stuck takes no requests.
PATIENCE = 5.0

#: Operations in the words of an error, where they differ.
_WORDS = {"exec": "exec in", "wait": "wait for", "stats": "read the statistics of", "delete": "remove"}


class Lost(StateError):
    """The keeper has died and left the instance behind."""

    def __init__(self, name: str, operation: str) -> None:
        super().__init__(name, operation=operation, status="lost", allowed="running")
        self.hint = "the process that kept it has died: isoscope gc removes what it left"


class Held(InputError):
    """The process that owns the instance lives and takes no requests."""

    def __init__(self, name: str, operation: str, pid: int) -> None:
        super().__init__(
            f"cannot {operation} {name!r}: process {pid} holds it and takes no requests",
            hint="it is still being made, or a comparison or a program of yours holds it until it ends",
        )


class RemoteInstance:
    """An instance that another process keeps; the verbs are those of `isoscope.core.instance.Instance`.

    One that is stopped is only a record: its verbs then raise what those of a stopped instance do.
    """

    def __init__(self, registry: Registry, record: Record) -> None:
        self._registry = registry
        self.record = record

    def state(self) -> dict[str, Any]:
        """What the keeper knows: `status`, `timeline`, `proof`, `exit`.

        `status` is one of `isoscope.core.instance.Status`, or `lost` when the keeper has died without a word, or `held`
        when it lives and takes no requests, as a comparison and a program that uses the library do.
        """
        if self.record.exit is not None:
            return {"status": "stopped"}
        try:
            return dict(self._ask("state", patience=PATIENCE))
        except Lost:
            return {"status": "lost"}
        except (Held, Timeout):
            return {"status": "held"}
        except StateError:  # it has ended since the record was read
            return {"status": "stopped"}

    def start(self) -> None:
        """As `Instance.start`."""
        with self._ending() as end:
            try:
                self._ask("start")
            except IsoscopeError:
                self._reload()
                if self.record.exit is not None:
                    end()
                raise

    def exec(self, command: Sequence[str], stdio: Stdio, *, terminal: bool = False) -> RemoteExecution:
        """As `Instance.exec`. The command gets SIGHUP when the calling process ends before it."""
        given = (stdio.stdin, stdio.stdout, stdio.stderr)
        request = {"command": list(command), "terminal": terminal, "stdio": [fd is not None for fd in given]}
        connection = self._connect("exec in")
        try:
            self._exchange(connection, "exec", request, [fd for fd in given if fd is not None])
        except BaseException:
            connection.close()
            raise
        return RemoteExecution(self.record.name, connection)

    def pause(self) -> None:
        """As `Instance.pause`."""
        self._ask("pause")

    def resume(self) -> None:
        """As `Instance.resume`."""
        self._ask("resume")

    def kill(self, signal_number: int = signal.SIGTERM) -> None:
        """As `Instance.kill`."""
        self._ask("kill", signal=signal_number)

    def stop(self, timeout: float = 10) -> Exit:
        """As `Instance.stop`, and wait until what the instance held is released."""
        with self._ending() as end:
            how = unpack_exit(self._ask("stop", timeout=timeout))
            end()
        return how

    def wait(self) -> Exit:
        """As `Instance.wait`, and wait until what the instance held is released."""
        if self.record.exit is None:
            try:
                with self._ending() as end:
                    how = unpack_exit(self._ask("wait"))
                    end()
                return how
            except StateError:
                self._reload()
                if self.record.exit is None:
                    raise
        assert self.record.exit is not None
        return unpack_exit(self.record.exit)

    def stats(self) -> Stats:
        """As `Instance.stats`."""
        return Stats(**self._ask("stats"))

    def delete(self, *, force: bool = False) -> None:
        """Have the keeper release the instance and forget its record; one that runs, only with `force`."""
        with self._ending() as end:
            self._ask("delete", force=force)
            end()

    def _ask(self, operation: str, *, patience: float | None = None, **request: Any) -> Any:
        with self._connect(_WORDS.get(operation, operation), patience) as connection:
            return self._exchange(connection, operation, request)

    def _connect(self, operation: str, patience: float | None = None) -> socket.socket:
        if self.record.exit is not None:
            raise self._absent(operation)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(patience)
        try:
            connection.connect(str(self.record.socket))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            raise self._absent(operation) from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _exchange(
        self, connection: socket.socket, operation: str, request: Mapping[str, Any], descriptors: Sequence[int] = ()
    ) -> Any:
        try:
            send(connection, {"operation": operation, **request}, descriptors)
            answer = receive(connection)
        except TimeoutError:
            raise Timeout(
                f"the keeper of {self.record.name!r} did not answer within {PATIENCE:g} s",
                hint=f"look at process {self.record.owner.pid}",
            ) from None
        except (BrokenPipeError, ConnectionResetError):
            answer = None
        if answer is None:
            raise self._absent(_WORDS.get(operation, operation))
        message, _ = answer
        if "error" in message:
            raise unpack_error(message["error"])
        return message["result"]

    def _absent(self, operation: str) -> IsoscopeError:
        """Why there is nobody at the other end: the record on disk tells."""
        self._reload()
        name, owner = self.record.name, self.record.owner
        if self.record.exit is not None:
            return StateError(name, operation=operation, status="stopped", allowed="running")
        if owner.alive() and not self.record.socket.exists():
            return Held(name, operation, owner.pid)
        return Lost(name, operation)

    @contextmanager
    def _ending(self) -> Iterator[Callable[[], None]]:
        """A function that waits for the keeper's own end, which follows the release of what it kept.

        So nothing is left, not even that process, when the caller goes on. One that is slow to end is not waited for
        longer than `PATIENCE`.
        """
        pid = self.record.owner.pid
        try:
            process = os.pidfd_open(pid) if pid != os.getpid() else None
        except ProcessLookupError:
            process = None
        try:
            yield lambda: None if process is None else _until_readable(process)
        finally:
            if process is not None:
                os.close(process)

    def _reload(self) -> None:
        """Read the record again. Raises NotFound when it has gone."""
        found = self._registry.find(self.record.id)
        if found.id != self.record.id:
            raise NotFound(f"{self.record.name!r} has been removed", hint="isoscope ps -a lists what there is")
        self.record = found


def _until_readable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll(PATIENCE * 1000)


class RemoteExecution(Execution):
    """A command that was started inside an instance through its keeper."""

    def __init__(self, name: str, connection: socket.socket) -> None:
        self._name = name
        self._connection = connection
        self._exit: Exit | None = None

    def wait(self, timeout: float | None = None) -> Exit:
        """How the command ended. Raises Timeout, and InstanceFailed when the keeper goes first."""
        if self._exit is None:
            self._connection.settimeout(timeout)
            try:
                answer = receive(self._connection)
            except TimeoutError:
                raise Timeout(f"the command in {self._name!r} did not end within {timeout:g} s") from None
            except ConnectionResetError:
                answer = None
            if answer is None:
                raise InstanceFailed(
                    f"the keeper of {self._name!r} ended before the command",
                    hint="isoscope ps shows what is left, isoscope gc removes it",
                )
            self._connection.close()
            if "error" in answer[0]:
                raise unpack_error(answer[0]["error"])
            self._exit = unpack_exit(answer[0]["result"])
        return self._exit

    def kill(self, signal_number: int) -> None:
        """Send a signal to the command."""
        if self._exit is None:
            send(self._connection, {"kill": signal_number})

    def resize(self, rows: int, columns: int) -> None:
        """Tell the command's terminal how large the caller's is."""
        if self._exit is None:
            send(self._connection, {"resize": [rows, columns]})

    def close(self) -> None:
        """Hang up. A command that still runs gets SIGHUP. Idempotent."""
        self._connection.close()
