"""Offers the backend `oci`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    from isoscope.core.backend import Backend, Context


@hookimpl
def isoscope_register_backends(register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
    """Offer `oci`."""

    def make(context: Context) -> Backend:
        from isoscope.backends.oci.backend import OciBackend

        return OciBackend(context)

    register("oci", make)
