"""What was measured before, how far it may stray, and the judgement on what is measured now.

Every figure is better when it is lower, and means the same on any machine: a ratio to a yardstick, or bytes.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

#: No figure is held to less than this: code that nobody touched differs so much by where the linker has put it.
LEAST_NOISE = 0.05

#: Standard deviations of repeated runs that are noise.
DEVIATIONS = 3

#: Share of the CPUs in others' use above which a host is not at rest.
BUSY = 0.2

#: How much of a spread is never held against a host; beyond it, twice what the baseline's runs had.
CALM = 0.15


class Kind(StrEnum):
    """What a judgement says."""

    SAME = "same"
    BETTER = "better"
    WORSE = "WORSE"
    NEW = "new"  #: there is no baseline to compare with
    UNJUDGED = "NOT JUDGED"  #: it looks worse, on a host that was not at rest

    @property
    def fails(self) -> bool:
        """Whether a run with it has failed: what could not be judged has not passed."""
        return self in (Kind.WORSE, Kind.UNJUDGED)


@dataclass(frozen=True)
class Figure:
    """One figure as found in one run."""

    name: str
    value: float
    unit: str  #: what it is a multiple of
    spread: float = 0.0  #: of the yardstick, as `Rounds.spread`
    busy: float = 0.0  #: share of the CPUs that others used before or after


@dataclass(frozen=True)
class Known:
    """What repeated runs of the same code found."""

    value: float  #: median of the runs
    noise: float  #: by what share a later run may differ and be the same
    spread: float  #: greatest of the runs
    busy: float  #: likewise; above `BUSY`, the baseline itself should be taken again
    unit: str
    runs: tuple[float, ...]
    date: str
    commit: str

    @classmethod
    def of(cls, figures: Sequence[Figure], *, date: str, commit: str) -> Self:
        """From the same figure of several runs."""
        values = [figure.value for figure in figures]
        return cls(
            value=round(statistics.median(values), 4),
            noise=round(noise(values), 3),
            spread=round(max(figure.spread for figure in figures), 3),
            busy=round(max(figure.busy for figure in figures), 2),
            unit=figures[0].unit,
            runs=tuple(round(value, 4) for value in values),
            date=date,
            commit=commit,
        )


def noise(values: Sequence[float]) -> float:
    """How far the same code strays from its median, as a share: three standard deviations of the logarithms.

    At least the greatest distance that was seen, and `LEAST_NOISE`. The deviation is about the median.
    """
    centre = math.log(statistics.median(values))
    away = [math.log(value) - centre for value in values]
    deviation = math.sqrt(sum(one**2 for one in away) / max(1, len(away) - 1))
    return max(LEAST_NOISE, math.expm1(max(DEVIATIONS * deviation, *map(abs, away))))


@dataclass(frozen=True)
class Judgement:
    """What is to be said of a figure."""

    kind: Kind
    figure: Figure
    known: Known | None

    @property
    def sentence(self) -> str:
        """Name, figure now and then, and the noise."""
        figure, known = self.figure, self.known
        now = f"{figure.name}: {figure.value:.3g} {figure.unit}"
        if known is None:
            return f"{now}; the baseline does not have it (--update-baseline)"
        then = f"{now}, {known.value:.3g} at {known.commit}, noise {known.noise:.0%}"
        if self.kind is Kind.UNJUDGED:
            return f"{then}; the host was not at rest ({_unrest(figure)}): run it again when it is"
        return then


def judge(figure: Figure, known: Known | None) -> Judgement:
    """Compare a figure with its baseline.

    One that looks worse on a host that was not at rest is not judged. One within the noise passes there, too: what
    others do makes nothing look faster than it is beside a yardstick that they slow as well.
    """
    if known is None:
        return Judgement(Kind.NEW, figure, known)
    if figure.value <= known.value * (1 + known.noise):
        better = figure.value * (1 + known.noise) < known.value
        return Judgement(Kind.BETTER if better else Kind.SAME, figure, known)
    return Judgement(Kind.WORSE if at_rest(figure, known) else Kind.UNJUDGED, figure, known)


def at_rest(figure: Figure, known: Known | None = None) -> bool:
    """Whether the host did little else while the figure was taken."""
    return figure.busy <= BUSY and figure.spread <= max(CALM, 2 * known.spread if known else 0)


def _unrest(figure: Figure) -> str:
    return f"others used {figure.busy:.0%} of its CPUs, and the yardstick's median was {figure.spread:.0%} up"


@dataclass(frozen=True)
class Limit:
    """A bound that an issue, not a baseline, sets; in absolute units, so it is for a machine of the usual kind."""

    figure: Figure
    most: float

    @property
    def kind(self) -> Kind:
        """Same when it is kept."""
        if self.figure.value <= self.most:
            return Kind.SAME
        return Kind.WORSE if at_rest(self.figure) else Kind.UNJUDGED

    @property
    def sentence(self) -> str:
        """Name, figure and bound."""
        told = f"{self.figure.name}: {self.figure.value:.3g} {self.figure.unit}, at most {self.most:g}"
        return f"{told}; the host was not at rest ({_unrest(self.figure)})" if self.kind is Kind.UNJUDGED else told


@dataclass(frozen=True)
class Baseline:
    """The stored figures, and the machine on which they were taken."""

    machine: Mapping[str, Any]
    figures: Mapping[str, Known]

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a file, or without figures when there is none. Raises ValueError for a file of another form."""
        if not path.exists():
            return cls({}, {})
        data = json.loads(path.read_text())
        try:
            figures = {name: Known(**{**one, "runs": tuple(one["runs"])}) for name, one in data["figures"].items()}
            return cls(data["machine"], figures)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no baseline: {error!r}") from error

    def updated(self, machine: Mapping[str, Any], figures: Mapping[str, Known]) -> Baseline:
        """With these figures in place of their old ones. Those of another machine cannot stay beside them."""
        kept = self.figures if self.machine == machine else {}
        return replace(self, machine=machine, figures={**kept, **figures})

    def save(self, path: Path) -> None:
        """Write the file."""
        data = {"machine": self.machine, "figures": {name: asdict(self.figures[name]) for name in sorted(self.figures)}}
        path.write_text(json.dumps(data, indent=1) + "\n")
