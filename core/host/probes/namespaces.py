"""Makes a namespace of each kind that is named, and says how that went."""

from __future__ import annotations

import os

from isoscope.core.host.probes import libc
from isoscope.core.host.probes.report import attempt


def main(arguments: list[str]) -> None:
    """Try the kinds. Without privileges, all others are made inside a user namespace of this process's own."""
    kinds = sorted(arguments, key=lambda kind: kind == "user", reverse=os.geteuid() != 0)
    for kind in kinds:
        attempt(kind, libc.unshare, libc.CLONE_NEW[kind])
