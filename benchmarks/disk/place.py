"""Where in an instance its storage is, by the option `storage` of its backend."""

from __future__ import annotations

from isoscope.core.instance import Instance

_PLACES = {"root": "/var/tmp", "volume": "/data"}  # noqa: S108 -- within an instance


def place(instance: Instance) -> str:
    """A directory on the storage that was asked for; on the root where a backend offers no choice."""
    return _PLACES.get(instance.launch.options.get("storage", ""), _PLACES["root"])
