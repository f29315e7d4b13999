"""Our end of the helper: starting it, asking it for processes, and turning what comes back into errors."""

from __future__ import annotations

import _socket
import contextlib
import errno
import fcntl
import marshal
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns
from typing import Any

from isoscope.backends.launcher import wire
from isoscope.backends.launcher.evidence import evidence
from isoscope.backends.launcher.process import Clone
from isoscope.backends.launcher.step import Step
from isoscope.core.errors import (
    CommandNotExecutable,
    CommandNotFound,
    HostError,
    InstanceFailed,
    IsoscopeError,
)

_MAIN = Path(__file__).with_name("main.py")
_BACKENDS = _MAIN.parent.parent

#: execve(2) gives these when it is the command that is at fault.
_NOT_EXECUTABLE = {
    errno.EACCES, errno.ENOEXEC, errno.EPERM, errno.E2BIG, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.EINVAL,
    errno.ETXTBSY, errno.ELIBBAD, errno.ELIBACC,
}  # fmt: skip
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN}

Phases = Sequence[tuple[str, Sequence[Step]]]


class Request:
    """A process to be launched, once: what the launcher needs, ready to be sent."""

    def __init__(self, clone: Clone, phases: Phases, command: tuple[str, ...]) -> None:
        self.command = command
        self.body = marshal.dumps((clone.pack(), [(name, [step.pack() for step in steps]) for name, steps in phases]))
        self.number = 0  #: by which the helper knows it
        self.prepared_by = 0  #: pid of the helper that has it


@dataclass
class Started:
    """A process that executes its command: our child, to be waited for by its pidfd."""

    pidfd: int
    executed_ns: int  #: when its exec was seen, on the monotonic clock
    moments: Mapping[str, int] = field(default_factory=dict)  #: ends of phases before, on the same clock
    proof: Mapping[str, str] = field(default_factory=dict)
    terminal: int | None = None  #: our end of its terminal


class Launcher:
    """A helper process, started when first needed. Thread-safe."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules  #: that define the steps, beside our own
        self._lock = threading.Lock()
        self._count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int:
        """The helper's pid, or 0 when none runs."""
        return self._process.pid if self._process is not None else 0

    def spawn(self) -> None:
        """Start the helper unless it runs. Raises HostError."""
        with self._lock:
            self._ensure()

    def _ensure(self) -> socket.socket:
        if self._socket is not None and self._process is not None and self._process.poll() is None:
            return self._socket
        self._end()
        ours, theirs = socket.socketpair()
        program = _sealed_copy(sys.executable)
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    "-X",
                    "utf8",
                    str(_MAIN),
                    str(theirs.fileno()),
                    str(_BACKENDS),
                    *self._modules,
                ],
                executable=f"/proc/self/fd/{program}",
                pass_fds=(theirs.fileno(), program),
                stdin=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,  # a Ctrl-C is for us to handle
            )
        except OSError as error:
            ours.close()
            raise HostError(
                f"cannot start the launcher: {error.strerror}", hint="see whether memory is short"
            ) from error
        finally:
            theirs.close()
            os.close(program)
        self._socket = ours
        return ours

    def network_namespace(self) -> int:
        """A descriptor of a new network namespace. Raises InstanceFailed."""
        with self._lock:
            answer, fds = self._ask(("network", 0, None), ())
        _raise_failure(answer, ())
        return fds[0]

    def prepare(self, request: Request) -> None:
        """Send a request ahead, so that launching it takes only a word. Raises HostError."""
        with self._lock:
            self._prepare(request)

    def _prepare(self, request: Request) -> None:
        sock = self._ensure()
        if request.prepared_by == self.pid:
            return
        self._count += 1
        request.number, request.prepared_by = self._count, self.pid
        self._tell(sock, ("prepare", request.number, request.body))

    def forget(self, request: Request) -> None:
        """Drop a request that was prepared and will not be launched. Idempotent."""
        with self._lock:
            if self._socket is not None and request.prepared_by == self.pid:
                self._tell(self._socket, ("forget", request.number, None))
            request.prepared_by = 0

    def launch(
        self, request: Request, fds: Mapping[str, int], *, on_cloned: Callable[[int], None] | None = None
    ) -> Started:
        """Clone a process, have it carry out the steps, and return once it executes the last one's command.

        `fds` are the descriptors that the steps use, by name. `on_cloned` is called with the new pid, for steps that
        wait for a word, which is sent when it returns. Raises CommandNotFound, CommandNotExecutable, HostError when
        memory or disk are full, else InstanceFailed.
        """
        ours, theirs = (
            _socket.socketpair()
        )  # not the module's above it, which spends time on turning numbers into names
        with contextlib.closing(ours):
            with contextlib.closing(theirs), self._lock:
                self._prepare(request)
                message = ("launch", request.number, ("status", *fds))
                request.prepared_by = 0
                answer, received = self._ask(message, (theirs.fileno(), *fds.values()))
            _raise_failure(answer, request.command)
            (pidfd,) = received
            try:
                if on_cloned is not None:
                    on_cloned(answer["pid"])
                    wire.send(ours, "go")
                return _follow(ours, pidfd, answer["pid"], request.command)
            except BaseException:
                _abort(pidfd)
                raise

    def _tell(self, sock: socket.socket, message: Any, fds: tuple[int, ...] = ()) -> None:
        try:
            wire.send(sock, message, fds)
        except OSError as error:
            raise self._gone(str(error)) from error

    def _ask(self, message: Any, fds: tuple[int, ...]) -> tuple[Any, list[int]]:
        sock = self._ensure()
        self._tell(sock, message, fds)
        try:
            answer = wire.receive(sock)
        except OSError as error:
            raise self._gone(str(error)) from error
        if answer is None:
            raise self._gone("it ended")
        return answer

    def _gone(self, why: str) -> HostError:
        self._end()
        return HostError(f"the launcher is gone: {why}", hint="try again; it is started anew", transient=True)

    def close(self) -> None:
        """End the helper. What it started runs on. Idempotent."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.wait()
            self._process = None


def _sealed_copy(path: str) -> int:
    """A copy of a program in memory that nobody can write to; memfd_create(2).

    A hostile image can have its container execute /proc/self/exe, which is the helper's own program, and as root write
    to the file behind it (CVE-2019-5736). This way that is never the Python of the host.
    """
    copy = os.memfd_create("isoscope-launcher", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(path, "rb") as program:
        left = os.fstat(program.fileno()).st_size
        while left:
            left -= os.sendfile(copy, program.fileno(), None, left)
    fcntl.fcntl(
        copy, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    )
    return copy


def _follow(status: _socket.socket, pidfd: int, pid: int, command: tuple[str, ...]) -> Started:
    """Read what the child reports until its exec closes the socket."""
    report: Any = None
    fds, proof = {"process": pidfd}, {}
    try:
        while (received := wire.receive(status)) is not None:
            message, (*sent,) = received
            if "fd" in message:
                fds[message["fd"]] = sent[0]
                continue
            if "settled" in message:
                with contextlib.suppress(OSError):  # it has failed meanwhile, and its report is on the way
                    proof = evidence(pid)
                    wire.send(status, "go")
                continue
            _raise_failure(message, command)
            report = message
        executed_ns = monotonic_ns()
        if report is None:
            raise InstanceFailed(
                "the process was killed before it executed its command",
                hint="the memory limit may be too small: see -m",
            )
        if fds["process"] != pidfd:
            _reap(pidfd)  # the one that was born again in the container has taken its place
        return Started(fds["process"], executed_ns, report["moments"], proof, fds.get("terminal"))
    except BaseException:
        for name, fd in fds.items():
            if fd == pidfd:
                continue
            if name == "process":
                _abort(fd)
            else:
                os.close(fd)
        raise


def _abort(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    _reap(pidfd)


def _reap(pidfd: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    os.close(pidfd)


def _raise_failure(message: Any, command: tuple[str, ...]) -> None:
    if "defect" in message:
        raise InstanceFailed(
            f"the launcher failed: {message['defect']}", hint="this is a defect of isoscope: report it"
        )
    if "failed" in message:
        raise _error(message["failed"], command)


def _error(failed: Mapping[str, Any], command: tuple[str, ...]) -> IsoscopeError:
    number, reason = failed["errno"], failed["reason"]
    if failed["step"] == "Execute":
        if number in (errno.ENOENT, errno.ENOTDIR):
            return CommandNotFound(command[0])
        if number in _NOT_EXECUTABLE:
            missing = "the interpreter that it names does not exist" if number == errno.ELIBACC else reason
            return CommandNotExecutable(command[0], missing)
    name = errno.errorcode.get(number, "error")
    message = f"phase {failed['phase']}, step {failed['text'][:200]!r}: {reason} ({name})"
    if number in _NO_ROOM:
        return HostError(message, hint="free memory, disk space, or processes, and try again", transient=True)
    if number in (errno.EPERM, errno.EACCES):
        return InstanceFailed(message, hint="isoscope doctor says what this host allows; root may do more")
    return InstanceFailed(message, hint="isoscope doctor says what this host lacks")
