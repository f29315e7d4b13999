"""`isoscope exec`: a second command inside an instance, with the caller's standard streams."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack

import click
from isoscope.core.cli.context import current_session
from isoscope.core.cli.instances import find


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("-t", "--tty", "terminal", is_flag=True, help="Give the command a terminal.")
@click.argument("name")
@click.argument("command", metavar="[--] COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(terminal: bool, name: str, command: tuple[str, ...]) -> int:
    """Run a second COMMAND inside the running instance NAME, and end with its status.

    Signals go to the command, the second of a kind as SIGKILL. It gets SIGHUP when this program dies before it.
    """
    from isoscope.core.cli.signals import Signals
    from isoscope.core.cli.terminal import raw, require_terminal, sizes
    from isoscope.core.output import Stdio

    current_session().runs_workload = True
    # `--` ends the options before NAME; the one after it separates the command, and is no part of it.
    command = command[1:] if command[0] == "--" else command
    if not command:
        raise click.UsageError("Missing argument 'COMMAND...'.", click.get_current_context())
    descriptor = require_terminal() if terminal else None
    with ExitStack() as stack:
        signals = stack.enter_context(Signals())
        if descriptor is not None:
            stack.enter_context(raw(descriptor))
        signals.hold()
        execution = find(name).exec(command, Stdio(0, 1, 2), terminal=terminal)
        signals.forward(execution.kill)
        if descriptor is not None:
            stack.enter_context(sizes(descriptor, execution.resize))
        with contextlib.closing(execution):
            return execution.wait().exit_status
