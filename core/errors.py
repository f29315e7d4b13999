"""What can go wrong, on two axes: whose fault it is, and whether trying again can help.

The class says whose fault (`Fault`), the attribute `transient` says whether a retry is worth it, and `hint` says what
to do next. Everything that Isoscope raises on purpose is an `IsoscopeError`; anything else is a defect of ours.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, ClassVar


class Fault(StrEnum):
    """Who can prevent the error."""

    USER = "user"  #: the request is wrong; the same request will always fail
    HOST = "host"  #: this host lacks something that the request needs
    WORKLOAD = "workload"  #: the workload itself failed
    ISOSCOPE = "isoscope"  #: a backend or the harness failed


class IsoscopeError(Exception):
    """Root of all errors raised on purpose.

    `message` says what is wrong in one line, `hint` what to do about it. `exit_status` is the status with which the
    command line ends: 1 something failed, 2 wrong input, 3 this host lacks something.
    """

    fault: ClassVar[Fault] = Fault.ISOSCOPE
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.transient = transient

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data, for `--json`, result rows and the control socket."""
        return {
            "error": type(self).__name__,
            "fault": self.fault.value,
            "transient": self.transient,
            "message": self.message,
            "hint": self.hint,
        }

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback, which `traceback.print_exc()` in the next cell still shows."""
        return [f"error: {self.message}", *([f"hint: {self.hint}"] if self.hint else [])]


class InputError(IsoscopeError):
    """The request cannot be right: an unknown name, a malformed size, an option that does not exist."""

    fault = Fault.USER
    exit_status = 2


class NotFound(InputError):
    """There is no instance, image, backend, benchmark, workload or run of that name."""


class NameTaken(InputError):
    """Another instance already has the name."""


class Unsupported(InputError):
    """The backend declares that it cannot do this; nothing was tried."""


class StateError(InputError):
    """The operation is not allowed in the state that the instance is in."""

    def __init__(self, name: str, *, operation: str, status: str, allowed: str) -> None:
        super().__init__(
            f"cannot {operation} {name!r}: it is {status}",
            hint=f"{operation} needs an instance that is {allowed}",
        )


class ImageError(InputError):
    """An image or a layer is unreadable, truncated, hostile or of an unknown format; the store is as it was."""


class HostError(IsoscopeError):
    """This host lacks what was asked for: a kernel feature, a program, a permission, space on the disk."""

    fault = Fault.HOST
    exit_status = 3


class BackendUnavailable(HostError):
    """The backend cannot run here; the hint is the command that gets what is missing."""


class InstanceFailed(IsoscopeError):
    """The instance failed to start, or ended in a way that it should not have."""

    fault = Fault.ISOSCOPE


class WorkloadFailed(IsoscopeError):
    """The workload itself failed; `command_status` is what a shell would have ended with."""

    fault = Fault.WORKLOAD

    def __init__(self, message: str, *, hint: str = "", command_status: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.command_status = command_status


class CommandNotFound(WorkloadFailed):
    """The command does not exist in the image (status 127, as in sh(1))."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"command {command!r} does not exist in the image",
            hint="check the spelling, and the PATH of the image with `isoscope image inspect`",
            command_status=127,
        )


class CommandNotExecutable(WorkloadFailed):
    """The command exists but cannot be executed (status 126, as in sh(1))."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(
            f"command {command!r} cannot be executed: {reason}",
            hint="it must be a program or a script with a #! line, with its execute permission set",
            command_status=126,
        )


class Timeout(IsoscopeError):
    """Something did not happen in its time; the same may succeed on a quieter host."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, transient=True)
