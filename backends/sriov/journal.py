"""What a card was like before it was touched, and who has which of its functions: a file for each card.

It is on disk before the first write, and goes once everything is as it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from isoscope.core.errors import HostError


@dataclass
class Journal:
    """One card's prior state and leases."""

    file: Path
    card: str  #: PCI address
    interface: str
    up: bool  #: whether its network device was up
    autoprobe: bool
    made: int = 0  #: virtual functions that we made; 0 where there were some, which stay
    subnet: str = ""  #: that the instances' addresses are of
    #: By PCI address of a virtual function: its driver, and its terms on the card (`settings.read`), before.
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)  #: PCI address of a virtual function to instance id

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """What the file says, or None when there is none. Raises HostError for one that cannot be read."""
        try:
            return cls(file, **json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise HostError(
                f"{file} cannot be read, and so {file.stem} cannot be restored: {error}",
                hint="set its sriov_numvfs yourself, and remove the file",
            ) from error

    def save(self) -> None:
        """Put it on the disk, all of it, before anything that follows is done. Raises HostError."""
        partial = self.file.with_suffix(".new")
        data = {name: value for name, value in asdict(self).items() if name != "file"}
        try:
            with partial.open("w") as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self.file)
        except OSError as error:
            raise HostError(f"cannot write {self.file}: {error.strerror}", hint="free some space") from error

    def forget(self) -> None:
        """Everything is as it was."""
        self.file.unlink(missing_ok=True)


def journals(directory: Path) -> Iterator[Journal]:
    """Every card that has been touched."""
    for file in sorted(directory.glob("*.json")):
        if (journal := Journal.load(file)) is not None:
            yield journal
