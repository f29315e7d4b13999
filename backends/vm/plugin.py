"""The `vm` backend's door."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    from isoscope.core.backend import Backend, Context


def _vm(context: Context) -> Backend:
    from isoscope.backends.vm.backend import VmBackend

    return VmBackend(context)


@hookimpl
def isoscope_register_backends(register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
    """Offer `vm`."""
    register("vm", _vm)
