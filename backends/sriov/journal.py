"""What a card was like before it was touched, and who has which of its functions: a file for each card.

It is on disk before the first write, and goes once everything is as it was. Beside it a link in /run says to other
state directories whose card it is now.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from isoscope.backends.network.forwarding import HOST_DIRECTORY
from isoscope.core.errors import HostError, InputError
from isoscope.core.registry import Owner


@dataclass
class Journal:
    """One card's prior state and leases."""

    file: Path
    card: str  #: PCI address
    interface: str  #: its network device
    up: bool  #: whether that was up
    autoprobe: bool
    made: int = 0  #: virtual functions that we made; 0 where there were some, which stay
    subnet: str = ""  #: that the instances' addresses are of
    ready: bool = False  #: everything has been written that a card must get before it hands out functions
    #: What was before, by PCI address of a virtual function: see `handing.before`.
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)  #: PCI address of a virtual function to instance id
    boot: str = field(default_factory=lambda: Owner.current().boot_id)

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

    @property
    def outlived(self) -> bool:
        """Whether the host has been booted since: what was written to the kernel went with the one before."""
        return self.boot != Owner.current().boot_id

    def begin(self) -> None:
        """Write down what the card is like, and take it for this state directory. Raises InputError, HostError."""
        other = claimant(self.card)
        if other is not None and other != self.file:
            raise InputError(
                f"{self.card} is handed out by another state directory, {other.parent.parent}",
                hint="wait until its instances have ended, or run isoscope gc with that ISOSCOPE_HOME",
            )
        self.save()
        _claim(self.card).unlink(missing_ok=True)
        _claim(self.card).symlink_to(self.file)

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
            _sync(self.file.parent)  # or the name could be missing after a crash
        except OSError as error:
            raise HostError(f"cannot write {self.file}: {error.strerror}", hint="free some space") from error

    def forget(self) -> None:
        """Everything is as it was."""
        if claimant(self.card) == self.file:
            _claim(self.card).unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)
        self.file.with_suffix(".new").unlink(missing_ok=True)  # of one who was killed while writing


def journals(directory: Path) -> Iterator[Journal]:
    """Every card that has been touched."""
    for file in sorted(directory.glob("*.json")):
        if (journal := Journal.load(file)) is not None:
            yield journal


def claimant(card: str) -> Path | None:
    """The journal of whichever state directory has the card now; None for nobody's."""
    claim = _claim(card)
    return claim.readlink() if claim.exists() else None  # a link to nowhere: somebody removed the state directory


def _claim(card: str) -> Path:
    return HOST_DIRECTORY / f"card-{card}"


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
