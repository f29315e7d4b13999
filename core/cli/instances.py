"""Commands that take names of instances: each name is tried, and every failure told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from isoscope.core.cli.context import current_lab
from isoscope.core.cli.failure import Several
from isoscope.core.errors import IsoscopeError

if TYPE_CHECKING:
    from isoscope.core.remote import RemoteInstance

names_argument = click.argument("names", metavar="NAME...", nargs=-1, required=True)


def find(name: str) -> RemoteInstance:
    """The instance of that name, id or beginning of an id. Raises NotFound."""
    from isoscope.core.remote import RemoteInstance

    registry = current_lab().registry
    return RemoteInstance(registry, registry.find(name))


def for_each(names: tuple[str, ...], action: Callable[[RemoteInstance], object]) -> None:
    """Do something with each instance. Raises what went wrong, once all have been tried."""
    failures: list[IsoscopeError] = []
    for name in dict.fromkeys(names):
        try:
            action(find(name))
        except IsoscopeError as error:
            failures.append(error)
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise Several(failures)


def tell_each(names: tuple[str, ...], action: Callable[[RemoteInstance], object]) -> None:
    """As `for_each`, printing the name of each instance with which it was done."""

    def act(instance: RemoteInstance) -> None:
        action(instance)
        click.echo(instance.record.name)

    for_each(names, act)
