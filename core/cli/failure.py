"""What a failure looks like: one line that says what is wrong, one that says what to do, and an exit status."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import click
from isoscope.core.cli.context import Session
from isoscope.core.cli.output import print_json, printable
from isoscope.core.errors import Fault, HostError, InputError, IsoscopeError, WorkloadFailed

OURS = 125  #: from `run` and `exec`: isoscope itself failed (docker-run(1), env(1))


class Defect(IsoscopeError):
    """Something that nobody raised on purpose."""


class Several(Exception):
    """Some of several names failed. Each error is told in its own lines; the first gives the exit status."""

    def __init__(self, errors: Sequence[IsoscopeError]) -> None:
        super().__init__(f"{len(errors)} failed")
        self.errors = errors


def report(error: BaseException, session: Session, arguments: Sequence[str]) -> int:
    """Tell a failure on standard error, and on standard output too where `--json` was asked for.

    Returns the exit status: the error's own, 2 for wrong usage, 130 when interrupted, and that of a closed pipe.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _interrupted(error)
    if _is_broken_pipe(error):
        return _silence()
    if session.debug:
        traceback.print_exception(error)
    errors = error.errors if isinstance(error, Several) else [_understood(error)]
    try:
        for one in errors:
            _tell(one)
        if session.json or (isinstance(error, click.UsageError) and _asked_for_json(error, arguments)):
            print_json(errors[0].as_dict() if len(errors) == 1 else {"errors": [one.as_dict() for one in errors]})
            sys.stdout.flush()
    except OSError:  # whoever listened has gone, and there is nobody left to tell
        _silence()
    return max(_status(one, session) for one in errors)


def _status(error: IsoscopeError, session: Session) -> int:
    """The error's own status; but where the workload's is passed on, ours must not be taken for it."""
    if session.runs_workload and isinstance(error, WorkloadFailed):
        return error.command_status
    if session.runs_workload and error.fault is Fault.ISOSCOPE:
        return OURS
    return error.exit_status


def _interrupted(error: BaseException) -> int:
    """128 and the signal, as a shell reports it; click turns a KeyboardInterrupt into its own Abort."""
    cause = error.__cause__ if isinstance(error, click.Abort) else error
    return 128 + int(getattr(cause, "signal_number", signal.SIGINT))


def _tell(error: IsoscopeError) -> None:
    click.echo(f"error: {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"hint: {printable(error.hint)}", err=True)


def _understood(error: BaseException) -> IsoscopeError:
    if isinstance(error, IsoscopeError):
        return error
    if isinstance(error, click.UsageError):
        return _wrong_usage(error)
    if isinstance(error, click.ClickException):
        return InputError(error.format_message(), hint="isoscope --help shows the usage")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HostError(f"no space left to write {error.filename or 'the state directory'}", hint="free some space")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        return HostError(
            f"not permitted: {error.filename or error.strerror}",
            hint="run as root, or set ISOSCOPE_HOME to a directory you can write to",
        )
    return Defect(
        f"defect in isoscope: {type(error).__name__}: {error}",
        hint="isoscope --debug COMMAND shows where; please report it",
    )


def _wrong_usage(error: click.UsageError) -> InputError:
    where = error.ctx.command_path if error.ctx else "isoscope"
    if isinstance(
        error, getattr(click.exceptions, "NoArgsIsHelpError", ())
    ):  # click 8.2; its message is all of the help
        return InputError(f"{where} needs a command", hint=f"{where} --help lists them")
    near = getattr(error, "possibilities", None)
    message = error.message if near else error.format_message()
    hint = f"did you mean {' or '.join(near)}?" if near else f"{where} --help shows the usage"
    return InputError(message[:1].lower() + message[1:].rstrip("."), hint=hint)


def _asked_for_json(error: click.UsageError, arguments: Sequence[str]) -> bool:
    """Whether `--json` stands among arguments that could not be parsed, for a command that knows it."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    knows = error.ctx is not None and any("--json" in parameter.opts for parameter in error.ctx.command.params)
    return knows and "--json" in own


def _is_broken_pipe(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _silence() -> int:
    """Let nothing complain about the closed pipe at the interpreter's end. Returns the status of SIGPIPE."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return 128 + signal.SIGPIPE
