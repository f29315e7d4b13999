"""The verbs that take instances through their life, one name or several at a time."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.instances import for_each, names_argument, tell_each
from isoscope.core.cli.output import print_json
from isoscope.core.errors import InputError, IsoscopeError, StateError

if TYPE_CHECKING:
    from isoscope.core.registry import Record
    from isoscope.core.remote import RemoteInstance


@click.command()
@names_argument
def start(names: tuple[str, ...]) -> None:
    """Start created instances."""
    tell_each(names, lambda instance: instance.start())


@click.command()
@names_argument
def pause(names: tuple[str, ...]) -> None:
    """Freeze every task of running instances, until `isoscope resume`."""
    tell_each(names, lambda instance: instance.pause())


@click.command()
@names_argument
def resume(names: tuple[str, ...]) -> None:
    """Let the tasks of paused instances go on."""
    tell_each(names, lambda instance: instance.resume())


@click.command()
@click.option("-s", "--signal", "text", metavar="SIGNAL", default="TERM", show_default=True, help="By name or number.")
@names_argument
def kill(text: str, names: tuple[str, ...]) -> None:
    """Send a signal to the workload of running instances."""
    number = _signal_number(text)
    tell_each(names, lambda instance: instance.kill(number))


def _signal_number(text: str) -> int:
    """A signal by number or by name, with or without SIG. Raises InputError."""
    known = {entry.name: int(entry) for entry in signal.Signals}
    number = int(text) if text.isdecimal() else known.get(f"SIG{text.upper().removeprefix('SIG')}", 0)
    if number not in signal.valid_signals():
        raise InputError(f"{text!r} is not a signal", hint="write a name or a number of signal(7), as in -s TERM")
    return number


@click.command()
@click.option(
    "-t",
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=10,
    show_default=True,
    help="How long SIGTERM has before SIGKILL follows.",
)
@names_argument
def stop(timeout: float, names: tuple[str, ...]) -> None:
    """End instances: SIGTERM, then SIGKILL. One that has stopped already is left as it is."""
    tell_each(names, partial(_stop, timeout=timeout))


def _stop(instance: RemoteInstance, *, timeout: float) -> None:
    try:
        instance.stop(timeout)
    except StateError:
        if instance.record.exit is None:
            raise


@click.command()
@json_option
@names_argument
def wait(as_json: bool, names: tuple[str, ...]) -> None:
    """Wait for instances to end, and print the exit status of each."""
    ends: list[dict[str, Any]] = []

    def wait_for(instance: RemoteInstance) -> None:
        end = instance.wait().as_dict()
        ends.append({"name": instance.record.name, **end})
        if not as_json:
            click.echo(end["exit_status"])

    for_each(names, wait_for)
    if as_json:
        print_json(ends)


@click.command("rm")
@click.option("-f", "--force", is_flag=True, help="End those that run.")
@names_argument
def remove(force: bool, names: tuple[str, ...]) -> None:
    """Remove instances with their record and log. Those that run need -f."""
    tell_each(names, partial(_remove, force=force))


def _remove(instance: RemoteInstance, *, force: bool) -> None:
    from isoscope.core.remote import Lost

    try:
        instance.delete(force=force)
    except Lost:
        _reclaim(instance.record)
    except StateError:
        if instance.record.exit is None:
            raise
        instance.record.forget()


def _reclaim(record: Record) -> None:
    """Remove what a dead keeper left. Raises what the backend raises; the record then stays for `gc`."""
    backend, _, _ = record.variant.partition(":")
    try:
        current_lab().backend(backend).reclaim(record)
    except IsoscopeError as error:
        error.hint = error.hint or "isoscope gc tries again"
        raise
    record.forget()
