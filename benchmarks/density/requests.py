"""Whether variants ask for the same: 186 instances of one kind and 373 of another may differ in their limits alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoscope.core.errors import InputError
from isoscope.core.units import format_size

if TYPE_CHECKING:
    from isoscope.core.lab import Lab
    from isoscope.core.variant import Variant
    from isoscope.core.workload import Workload


RESOURCES = ("cpus", "memory", "pids")


def check_equal(lab: Lab, variants: Sequence[Variant], workload: Workload) -> None:
    """Refuse variants of which one asks for other cpus, memory or pids than another. Raises InputError.

    A backend that cannot limit something asks for nothing of it, so it stands beside any request. Where nobody names a
    size, each backend's default is what it costs by itself, and that is what is compared.
    """
    for name in RESOURCES:
        asked = {
            str(variant): getattr(workload.with_overrides(variant.options).resources, name)
            for variant in variants
            if name in lab.capabilities(variant).limits
        }
        first, *others = asked or [""]
        for other in others:
            if asked[other] != asked[first]:
                raise InputError(
                    f"{first} and {other} ask for unequal {name}: {_shown(name, asked[first])} and "
                    f"{_shown(name, asked[other])}",
                    hint=f"give both the same, or allow it: -m density:unequal=yes; all: {', '.join(asked)}",
                )


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "its default"
    return format_size(value) if name == "memory" else f"{value:g}"
