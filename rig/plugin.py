"""Offers the backend `rig` and the commands that drive it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click
    from isoscope.core.backend import Backend, Context


@hookimpl
def isoscope_register_backends(register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
    """Offer `rig`."""

    def make(context: Context) -> Backend:
        from isoscope.rig.backend import RigBackend

        return RigBackend(context)

    register("rig", make)


@hookimpl
def isoscope_register_commands(register: Callable[[str, str, Callable[[], click.Command]], None]) -> None:
    """Offer `rig`."""

    def load() -> click.Command:
        from isoscope.rig.cli import rig

        return rig

    register("rig", "An emulated host with an SR-IOV card.", load)
