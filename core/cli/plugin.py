"""The commands of the core, registered through the same door as everybody else's."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

#: Command, where it is in this package, and its line of help.
_COMMANDS = (
    ("doctor", "doctor:doctor", "Say what this host can do, what each backend lacks, and how to get it."),
    ("backends", "doctor:backends", "List the backends, what each can do, and whether it is ready here."),
    ("run", "run:run", "Run a command in a new instance."),
    ("create", "run:create", "Make an instance that is ready to start."),
    ("start", "life:start", "Start created instances."),
    ("exec", "execute:execute", "Run a second command inside an instance."),
    ("ps", "ps:ps", "List instances."),
    ("top", "top:top", "Show the processes inside an instance."),
    ("stats", "stats:stats", "Show what instances use."),
    ("logs", "logs:logs", "Show the output of an instance."),
    ("inspect", "inspect:inspect", "Print all that is known about instances."),
    ("pause", "life:pause", "Freeze every task of running instances."),
    ("resume", "life:resume", "Let paused instances go on."),
    ("kill", "life:kill", "Send a signal to instances."),
    ("stop", "life:stop", "End instances: SIGTERM, and SIGKILL when that does not help."),
    ("wait", "life:wait", "Wait for instances to end, and print their exit status."),
    ("rm", "life:remove", "Remove instances."),
    ("lab", "lab:lab", "Open the notebooks, a course on containers and virtual machines."),
    ("gc", "gc:gc", "Remove whatever a crash left behind."),
)


@hookimpl
def isoscope_register_commands(register: Callable[[str, str, Callable[[], click.Command]], None]) -> None:
    """Offer the core's commands."""
    for name, place, summary in _COMMANDS:
        register(name, summary, _loader(*place.split(":")))


def _loader(module: str, attribute: str) -> Callable[[], click.Command]:
    def load() -> click.Command:
        command: click.Command = getattr(import_module(f"isoscope.core.cli.{module}"), attribute)
        return command

    return load
