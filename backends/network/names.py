"""The names of what a state directory's network leaves on the host, all derived from the directory's path.

Names of devices hold at most 15 bytes (IFNAMSIZ), so they carry `isoscope` and the beginning of a hash of the path.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

_BRIDGE = re.compile(r"isoscope[0-9a-f]{6}", re.ASCII)


@dataclass(frozen=True)
class Names:
    """The names of one state directory."""

    bridge: str
    table: str  #: nftables table of family `ip`
    prefix: str  #: of every device of the directory, the bridge included
    alias: str  #: ifalias of the bridge, which tells whose it is

    @classmethod
    def of(cls, home: Path) -> Names:
        """The names for a state directory, the same by whatever path it is reached."""
        path = os.path.realpath(home)
        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:6]
        return cls(f"isoscope{digest}", f"isoscope_{digest}", f"isoscope{digest[:4]}", f"isoscope {path}")

    def interface(self, index: int) -> str:
        """The name of the device of the instance with the `index`-th address of the subnet, at most 4095."""
        return f"{self.prefix}{index:03x}"

    def is_port(self, name: str) -> bool:
        """Whether a device's name is one that `interface` gives."""
        return name.startswith(self.prefix) and len(name) == len(self.prefix) + 3


def is_bridge(name: str) -> bool:
    """Whether a device's name is that of some state directory's bridge."""
    return _BRIDGE.fullmatch(name) is not None
