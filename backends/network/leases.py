"""Which instance has which address: one small file of a state directory, read and replaced under its lock."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Self

from isoscope.core.errors import HostError

#: The network's own address, the bridge's, and the broadcast address are nobody's to lease.
_FIRST = 2


@dataclass
class Leases:
    """The subnet in use, and the instances' places in it."""

    file: Path
    subnet: str = ""  #: empty before the network was first built
    mtu: int = 0  #: bytes
    #: Instance id to the number of its address in the subnet.
    places: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> Self:
        """What the file says; nothing when there is none.

        It is replaced in one step, so only a loss of power can have torn it, and no instance has outlived that.
        """
        try:
            return cls(file, **json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return cls(file)

    def save(self) -> None:
        """Replace the file, or remove it when nothing is left to say. Raises HostError when the disk is full."""
        partial = self.file.with_suffix(".new")
        data = {name: value for name, value in asdict(self).items() if name != "file"}
        try:
            if not self.subnet and not self.places:
                partial.unlink(missing_ok=True)
                self.file.unlink(missing_ok=True)
                return
            partial.write_text(json.dumps(data))
            os.rename(partial, self.file)
        except OSError as error:
            raise HostError(f"cannot write {self.file}: {error.strerror}", hint="free some space") from error

    def network(self) -> IPv4Network:
        """The subnet in use."""
        return IPv4Network(self.subnet)

    def free_place(self) -> int:
        """The lowest number that nobody has. Raises HostError when there is none."""
        size = self.network().num_addresses
        free = set(range(_FIRST, size - 1)).difference(self.places.values())
        if not free:
            raise HostError(
                f"no address is left in {self.subnet}: {len(self.places)} instances have one",
                hint="remove some: isoscope ps, isoscope rm, and isoscope gc for what a crash left behind",
            )
        return min(free)

    def drop(self, ids: Iterable[str]) -> list[int]:
        """Forget instances; returns the numbers that they had."""
        return [self.places.pop(name) for name in list(ids)]
