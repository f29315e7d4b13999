"""What a backend is: the small protocol that ours and strangers' fill in alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from isoscope.core.capabilities import Capabilities
from isoscope.core.instance import Instance
from isoscope.core.launch import Launch
from isoscope.core.registry import Record
from isoscope.core.variant import Option

if TYPE_CHECKING:
    from isoscope.core.host import Host


@dataclass(frozen=True)
class Context:
    """Where a backend works."""

    home: Path  #: the state directory; caches of a backend live in `home / "cache"`
    host: Host  #: what this host can do, probed once and lazily
    libvirt_uri: str | None = None  #: a libvirt daemon instead of the embedded driver


@dataclass(frozen=True)
class Lack:
    """Something that a backend needs and this host does not have."""

    what: str
    remedy: str  #: a command, or a sentence, that gets it


@dataclass(frozen=True)
class Step:
    """One step of a plan: what will be done, in the words and names of the kernel."""

    phase: str
    text: str


class Backend(ABC):
    """A way to isolate. Construction must be cheap and touch nothing; a lab makes one of each and keeps it."""

    name: ClassVar[str]
    summary: ClassVar[str]  #: one line for `isoscope backends`
    options: ClassVar[tuple[Option, ...]] = ()
    by_default: ClassVar[bool] = True  #: whether it is compared when nobody says which are
    capabilities: ClassVar[Capabilities]

    def __init__(self, context: Context) -> None:
        self.context = context

    def lacks(self) -> list[Lack]:
        """What is missing here; empty when the backend is ready. Probes by doing, in well under a second."""
        return []

    def variants(self) -> tuple[Mapping[str, str], ...]:
        """The options with which it needs different things of a host: `isoscope doctor` looks at each by itself."""
        return ({},)

    def capabilities_for(self, options: Mapping[str, str]) -> Capabilities:
        """What it can do with these options, where they matter; a value is there for each that it declares."""
        return self.capabilities

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse options that do not go together, or that this host cannot do, before anything is made.

        `options` has a value for each that the backend declares. Raises InputError or HostError; BackendUnavailable
        with the command that gets it, where something is missing that these options alone need.
        """

    def plan(self, launch: Launch) -> list[Step]:
        """The steps that `create` and `start` will take, for reading; nothing is done."""
        return []

    @abstractmethod
    def create(self, launch: Launch) -> Instance:
        """Make an instance that is ready to start.

        Whatever is made on the host is written to `launch.record` first. A `create` that fails leaves nothing behind.
        """

    @abstractmethod
    def reclaim(self, record: Record) -> None:
        """Remove what a dead owner left behind for `record`. Idempotent; what has gone already is no error."""

    def sweep(self, live: list[Record]) -> list[str]:
        """Remove what several instances share (a bridge, a cache in the making) when none of `live` needs it.

        Called by `gc` after every `reclaim`. Returns a line for each thing removed.
        """
        return []

    def close(self) -> None:
        """Release what the backend keeps between instances (helpers, connections). Idempotent."""
