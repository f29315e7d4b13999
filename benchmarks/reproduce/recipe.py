"""What a recipe is: a published comparison, mapped onto a run of ours and scaled to this host by stated rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from isoscope.benchmarks.benchmark import Label

if TYPE_CHECKING:
    from isoscope.benchmarks.published import Published, Study
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.reproduce.here import Here
    from isoscope.benchmarks.reproduce.result import Reproduction
    from isoscope.benchmarks.results.run import Run

#: In place of a system's name: the row is held against the same system under another workload, as growth is.
SAME_SYSTEM = "="


class Kind(StrEnum):
    """What of a published ratio is expected to carry over to other hardware."""

    SIZE = "size"  #: how large it is, within the band of `isoscope.benchmarks.reproduce.rule`
    DIRECTION = "direction"  #: only which of the two is greater


@dataclass(frozen=True)
class Setting:
    """One rule of scaling, applied: what the study had, what is taken here, and why."""

    name: str
    study: str
    here: str
    rule: str


@dataclass(frozen=True)
class System:
    """What the study measured on, and the variant that stands for it here.

    One that the study did not have is measured and shown beside the others; there is nothing to hold it against.
    """

    name: str  #: as `figures.csv` calls it
    variant: str
    note: str = ""  #: in what it differs from the study's
    kind: Kind = Kind.SIZE
    why: str = ""  #: why no more than a direction carries over


@dataclass(frozen=True)
class Match:
    """Which of our series stands for a published workload and metric, on whichever system."""

    workload: str  #: as `figures.csv` has it
    metric: str  #: likewise
    benchmark: str
    ours: str  #: our metric
    labels: Mapping[str, Label] = field(default_factory=dict)  #: those by which the series is told from others
    factor: float = 1.0  #: what makes a value of ours one in the study's unit: 1e-3 from ns to us
    statistic: str = "p50"  #: of all trials' values: p50, p90, p99 or mean
    baseline: str = ""  #: a system's name, or SAME_SYSTEM; the plan's baseline when empty
    against: str = ""  #: the baseline's published workload, where it is another
    kind: Kind = Kind.SIZE
    why: str = ""  #: why no more than a direction carries over
    #: The baseline is the same without isolation: a published gain over it is the study's noise, and decides nothing.
    costs: bool = True
    #: Why the ratio may be held against the study's although both sides of it run under TCG here, where that is so. No
    #: more than its direction ever is; empty: it may not.
    emulated: str = ""
    obstacle: str = ""  #: why this host cannot repeat it, where that is known before anything is measured
    #: Relative standard deviations of the study's own repetitions by system, where the published figure has none.
    deviations: Mapping[str, float] = field(default_factory=dict)
    x: float | None = None  #: where it stands on the study's own axis, such as connections; None for bars
    short: str = ""  #: the workload in a few words, for plots; the whole when empty


@dataclass(frozen=True)
class Plan:
    """A recipe on this host. All of it stands in the run's manifest, and nothing else is needed to judge the run."""

    clock: str  #: what is timed, by whose clock, there and here
    systems: tuple[System, ...]
    baseline: str  #: the system that stands twice in every block: its two series show the noise
    benchmarks: tuple[str, ...]  #: as `isoscope compare -m` takes them
    matches: tuple[Match, ...]
    settings: tuple[Setting, ...] = ()
    workload: str | None = None  #: a registered workload; None means each benchmark's own
    blocks: int = 10
    trial_seconds: float = 10.0  #: what a trial takes here, roughly
    left_out: Mapping[str, str] = field(default_factory=dict)  #: systems that are not measured here, and why
    omitted: Mapping[str, str] = field(default_factory=dict)  #: published workloads without a match, and why

    def system(self, name: str) -> System:
        """The system of that name. Raises KeyError."""
        for one in self.systems:
            if one.name == name:
                return one
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as stored in the manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            **{
                **data,
                "systems": tuple(
                    System(**{**one, "kind": Kind(one.get("kind", Kind.SIZE))}) for one in data["systems"]
                ),
                "benchmarks": tuple(data["benchmarks"]),
                "matches": tuple(Match(**{**one, "kind": Kind(one["kind"])}) for one in data["matches"]),
                "settings": tuple(Setting(**one) for one in data["settings"]),
            }
        )


@dataclass(frozen=True)
class Needs:
    """What a host must have before a recipe is begun; what its systems lack is found out by their backends."""

    memory: int = 0  #: bytes that are available
    disk: int = 0  #: bytes that are free below the state directory
    cpus: int = 1
    root: bool = False
    rig: bool = False  #: SR-IOV functions: in the emulated host (`isoscope rig`) where there are none
    programs: Mapping[str, str] = field(default_factory=dict)  #: of this host, with the packages that have them
    images: tuple[str, ...] = ()


class Recipe(ABC):
    """How to repeat one item of a study."""

    study: ClassVar[str]  #: as `figures.csv` calls it
    item: ClassVar[str]
    summary: ClassVar[str]  #: one line for listings
    needs: ClassVar[Needs] = Needs()

    @property
    def name(self) -> str:
        """STUDY/ITEM."""
        return f"{self.study}/{self.item}"

    def published(self) -> tuple[Published, ...]:
        """The study's figures. A recipe for a study that we do not ship brings its own."""
        from isoscope.benchmarks.published import figures

        return figures(self.study, self.item)

    def elsewhere(self) -> tuple[Published, ...]:
        """Figures of other items against which rows of this one are held: a loaded host against one without a load."""
        return ()

    def source(self) -> Study:
        """The study; likewise."""
        from isoscope.benchmarks.published import study

        return study(self.study)

    @abstractmethod
    def plan(self, here: Here, *, quick: bool) -> Plan:
        """The recipe on a host with these facts, and nothing else: the same facts give the same plan."""

    def figures(self, found: Reproduction) -> list[Figure]:
        """Theirs beside ours, in the study's own axes."""
        from isoscope.benchmarks.reproduce.figures import figures

        return figures(found)

    def distributions(self, run: Run) -> list[Figure]:
        """Plots of single values, of which a reproduction keeps a statistic alone, for studies that show them."""
        return []
