"""The control socket of a keeper: a thread for each connection, a function for each request."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isoscope.core.control import close_all, pack_error, receive, send
from isoscope.core.errors import InputError, InstanceFailed, IsoscopeError, StateError
from isoscope.core.instance import Execution, Status
from isoscope.core.output import Stdio

if TYPE_CHECKING:
    from isoscope.core.keeper import Keeper

_log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("3i")  #: struct ucred of unix(7): pid, uid, gid

#: Seconds that clients get to take their last answers before the keeper ends without them.
_LAST_ANSWERS = 5.0


class Service:
    """Listens on the instance's control socket and answers for the keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._listener: socket.socket | None = None
        self._acceptor = threading.Thread(target=self._accept, name="isoscope-control", daemon=True)
        self._clients: set[threading.Thread] = set()

    def open(self) -> None:
        """Listen. The socket stands in a directory that only the user can enter, and is itself the user's alone."""
        path = self._keeper.record.socket
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        os.chmod(path, 0o600)
        self._listener.listen(64)
        self._acceptor.start()

    def close(self) -> None:
        """Listen no more, and give those who are being answered a moment to hear it."""
        if self._listener is None:
            return
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(2), which closing does not
        self._acceptor.join()
        self._listener.close()
        self._keeper.record.socket.unlink(missing_ok=True)
        for client in list(self._clients):
            client.join(_LAST_ANSWERS)

    def _accept(self) -> None:
        assert self._listener is not None
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            client = threading.Thread(target=self._serve, args=(connection,), name="isoscope-client", daemon=True)
            self._clients.add(client)
            client.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                _check_peer(connection)
                received = receive(connection)
                if received is not None:
                    self._answer(connection, *received)
        except IsoscopeError as error:
            _log.warning("request refused: %s", error)
        except OSError as error:
            _log.debug("a client has gone: %s", error)
        finally:
            self._clients.discard(threading.current_thread())

    def _answer(self, connection: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
        operation = str(request.pop("operation", ""))
        try:
            if operation == "exec":
                _exec(self._keeper, connection, request, descriptors)
                return
            respond = _RESPONSES.get(operation)
            if respond is None:
                raise InputError(f"the keeper knows no operation {operation!r}", hint="both ends must be one version")
            send(connection, {"result": respond(self._keeper, connection, **request)})
        except OSError:
            raise
        except Exception as error:
            send(connection, {"error": pack_error(self._understood(operation, error))})
        finally:
            close_all(descriptors)

    def _understood(self, operation: str, error: Exception) -> IsoscopeError:
        if isinstance(error, IsoscopeError):
            return error
        _log.error("defect in %s", operation, exc_info=error)
        return InstanceFailed(
            f"defect in isoscope: {type(error).__name__}: {error}",
            hint=f"see {self._keeper.record.directory}/shim.log, and please report it",
        )


def _check_peer(connection: socket.socket) -> None:
    """Raise InputError unless root or the keeper's own user asks (SO_PEERCRED, unix(7))."""
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(packed)
    if uid not in (0, os.geteuid()):
        raise InputError(f"user {uid} may ask nothing here", hint="be the user who started the instance, or root")


def _await_release(keeper: Keeper, connection: socket.socket, timeout: float | None = None) -> bool:
    """Wait until everything is released; false when it is not within `timeout` seconds.

    Raises BrokenPipeError when the one who asked hangs up first.
    """
    poll = select.poll()
    poll.register(keeper.released, select.POLLIN)
    poll.register(connection, select.POLLIN)
    ready = dict(poll.poll(None if timeout is None else timeout * 1000))
    if ready and keeper.released not in ready:
        raise BrokenPipeError
    return bool(ready)


def _state(keeper: Keeper, _connection: socket.socket) -> dict[str, Any]:
    instance = keeper.instance
    status = Status.STOPPED if instance.status is Status.DELETED else instance.status  # its record is about to say so
    return {
        "status": status.value,
        "timeline": dict(instance.timeline.moments),
        "proof": keeper.proof() if instance.status is not Status.CREATED else {},
    }


def _start(keeper: Keeper, connection: socket.socket) -> None:
    try:
        keeper.do("start", keeper.start)
    except IsoscopeError:
        if keeper.never_ran:
            _await_release(keeper, connection)
        raise


def _pause(keeper: Keeper, _connection: socket.socket) -> None:
    keeper.do("pause", keeper.instance.pause)


def _resume(keeper: Keeper, _connection: socket.socket) -> None:
    keeper.do("resume", keeper.instance.resume)


def _kill(keeper: Keeper, _connection: socket.socket, *, signal: int) -> None:
    keeper.do("kill", lambda: keeper.instance.kill(signal))


def _stats(keeper: Keeper, _connection: socket.socket) -> dict[str, Any]:
    return asdict(keeper.do("read the statistics of", keeper.instance.stats))


def _wait(keeper: Keeper, connection: socket.socket) -> dict[str, Any]:
    if keeper.instance.status is Status.CREATED:
        raise StateError(keeper.record.name, operation="wait for", status="created", allowed="running or stopped")
    _await_release(keeper, connection)
    return keeper.exit()


def _stop(keeper: Keeper, connection: socket.socket, *, timeout: float) -> dict[str, Any]:
    """As `Instance.stop`, but the waiting is done here, so that the keeper's thread stays free for others."""
    keeper.do("stop", lambda: _ask_to_end(keeper))
    if not _await_release(keeper, connection, timeout):
        with contextlib.suppress(StateError):  # it has just ended
            keeper.do("stop", lambda: keeper.instance.kill(signal.SIGKILL))
        _await_release(keeper, connection)
    return keeper.exit()


def _ask_to_end(keeper: Keeper) -> None:
    instance = keeper.instance
    if instance.status is Status.CREATED:
        raise StateError(keeper.record.name, operation="stop", status="created", allowed="running or paused")
    if instance.status is Status.PAUSED:
        instance.resume()  # a frozen task takes no SIGTERM
    with contextlib.suppress(StateError):  # it has just ended
        instance.kill(signal.SIGTERM)


def _delete(keeper: Keeper, connection: socket.socket, *, force: bool) -> None:
    def decide() -> None:
        status = keeper.instance.status
        if status in (Status.RUNNING, Status.PAUSED) and not force:
            error = StateError(keeper.record.name, operation="remove", status=status, allowed="created or stopped")
            error.hint = f"stop it first, or: isoscope rm -f {keeper.record.name}"
            raise error
        keeper.forget()

    keeper.do("remove", decide)
    _await_release(keeper, connection)


_RESPONSES: dict[str, Callable[..., Any]] = {
    "state": _state,
    "start": _start,
    "pause": _pause,
    "resume": _resume,
    "kill": _kill,
    "stats": _stats,
    "wait": _wait,
    "stop": _stop,
    "delete": _delete,
}


def _exec(keeper: Keeper, connection: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
    given = iter(descriptors)
    stdio = Stdio(*(next(given) if there else None for there in request["stdio"]))
    command, terminal = tuple(request["command"]), bool(request["terminal"])
    execution: Execution = keeper.do("exec in", lambda: keeper.instance.exec(command, stdio, terminal=terminal))
    ended = threading.Event()
    waiting = threading.Thread(target=_report_end, args=(execution, connection, ended), daemon=True)
    with contextlib.suppress(OSError):
        send(connection, {"result": None})
    waiting.start()
    # Until it ends, the caller may ask for signals; a caller who hangs up leaves it as a closed terminal would.
    with contextlib.suppress(OSError, InputError):
        while (received := receive(connection)) is not None:
            _steer(keeper, execution, *received)
    if not ended.is_set():
        with contextlib.suppress(IsoscopeError):
            keeper.do("kill", lambda: execution.kill(signal.SIGHUP))
    waiting.join()


def _report_end(execution: Execution, connection: socket.socket, ended: threading.Event) -> None:
    try:
        answer: dict[str, Any] = {"result": execution.wait().as_dict()}
    except IsoscopeError as error:
        answer = {"error": pack_error(error)}
    ended.set()
    with contextlib.suppress(OSError):
        send(connection, answer)
        connection.shutdown(socket.SHUT_RDWR)  # ends the loop that listens to the caller


def _steer(keeper: Keeper, execution: Execution, request: dict[str, Any], descriptors: list[int]) -> None:
    close_all(descriptors)
    with contextlib.suppress(IsoscopeError):
        if "kill" in request:
            keeper.do("kill", lambda: execution.kill(int(request["kill"])))
        elif "resize" in request:
            rows, columns = request["resize"]
            keeper.do("resize", lambda: execution.resize(int(rows), int(columns)))
