"""Offers the backend `bubblewrap`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    from isoscope.core.backend import Backend, Context


@hookimpl
def isoscope_register_backends(register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
    """Offer `bubblewrap`."""

    def make(context: Context) -> Backend:
        from isoscope.backends.bubblewrap.backend import BubblewrapBackend

        return BubblewrapBackend(context)

    register("bubblewrap", make)
