"""How large the host's caches are: what an array must outgrow."""

from __future__ import annotations

from pathlib import Path

from isoscope.benchmarks.benchmark import Label
from isoscope.core.errors import InputError
from isoscope.core.units import parse_size

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def last_level_cache() -> dict[str, Label]:
    """The size of the largest cache in bytes as a label, `llc_bytes`; no label where the host does not show it."""
    sizes = []
    for path in _CACHES.glob("index*/size"):
        try:
            sizes.append(parse_size(path.read_text().strip()))
        except (OSError, InputError):
            continue
    return {"llc_bytes": max(sizes)} if sizes else {}
