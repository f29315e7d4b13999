"""From what is known of each candidate to an order of them: budgets first, then what an hour of work costs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from isoscope.benchmarks.advise.candidates import Candidate
from isoscope.benchmarks.advise.figures import Basis, Figure, costs
from isoscope.benchmarks.advise.rules import Exclusion
from isoscope.benchmarks.advise.subject import Subject
from isoscope.benchmarks.results.quantity import number, quantity

_NS = 1e9

#: Difference that a look without intervals does not show (the threshold of Firecracker's A/B tests, tools/ab_test.py).
_NOISE = 0.05

#: Factor by which a look without intervals may be off before it breaks or keeps a budget for certain.
_SWING = 2


class Footing(StrEnum):
    """What a decision rests on."""

    REQUIREMENTS = "requirements"  #: nothing else was left to choose from
    MEASURED = "measured"  #: figures of this host
    PUBLISHED = "published"  #: some are others', of other hosts
    MISSING = "measure first"  #: something that matters is not known


@dataclass(frozen=True)
class Assessment:
    """A candidate, what speaks against it, and what is known of its costs."""

    candidate: Candidate
    exclusions: tuple[Exclusion, ...]
    figures: Mapping[str, Figure]  #: by cost; those that are not known are not there


@dataclass(frozen=True)
class Budget:
    """A limit that the workload sets on a figure."""

    name: str  #: the field of the requirements
    cost: str  #: the figure that it limits, or one that it follows from
    met: bool | None  #: None when nobody knows
    sentence: str


@dataclass(frozen=True)
class Total:
    """How many times the time and memory that the same work takes without isolation; GB-seconds, as clouds bill."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranked:
    """A candidate that meets the requirements, and its place."""

    assessment: Assessment
    budgets: tuple[Budget, ...]
    total: Total | None  #: None when a cost that matters is not known
    missing: tuple[str, ...]  #: costs that matter and are not known
    bases: frozenset[Basis]  #: whose the figures of the other costs that matter are

    @property
    def candidate(self) -> Candidate:
        """Who it is."""
        return self.assessment.candidate

    @property
    def open(self) -> bool:
        """Whether something that matters is not known of it."""
        return bool(self.missing) or self.unproven

    @property
    def unproven(self) -> bool:
        """Whether nobody knows that it keeps every budget."""
        return any(budget.met is None for budget in self.budgets)

    @property
    def fails(self) -> bool:
        """Whether it breaks a budget for certain."""
        return any(budget.met is False for budget in self.budgets)


@dataclass(frozen=True)
class Decision:
    """The order of those that meet the requirements: what is ready here, and what is not."""

    here: tuple[Ranked, ...]
    elsewhere: tuple[Ranked, ...]
    over: tuple[Ranked, ...]  #: they meet the requirements and break a budget

    @property
    def answer(self) -> Ranked | None:
        """The best that is ready here; else the best that is not."""
        return next(iter((*self.here, *self.elsewhere)), None)

    @property
    def runner_up(self) -> Ranked | None:
        """The next best of any other that could be had."""
        return next((one for one in (*self.here, *self.elsewhere) if one is not self.answer), None)

    @property
    def tied(self) -> bool:
        """Whether no difference in cost is shown between the answer and the runner-up."""
        first, second = self.answer, self.runner_up
        if first is None or second is None or first.total is None or second.total is None:
            return False
        return first.total.low <= second.total.high and second.total.low <= first.total.high

    @property
    def footing(self) -> Footing:
        """What the answer rests on, against those that it was weighed against."""
        answer = self.answer
        rivals = self.here or self.elsewhere
        if len(rivals) == 1 and not rivals[0].unproven:
            return Footing.REQUIREMENTS
        if answer is None or answer.open:
            return Footing.MISSING
        weighed = [one for one in rivals if not one.missing]
        bases = frozenset[Basis]().union(*(one.bases for one in weighed))
        if not bases and not answer.budgets:
            return Footing.MISSING
        return Footing.PUBLISHED if Basis.PUBLISHED in bases else Footing.MEASURED

    @property
    def unweighed(self) -> tuple[Ranked, ...]:
        """Others that are ready here, of which something that matters is not known."""
        return tuple(one for one in self.here if one is not self.answer and one.open)


def decide(subject: Subject, assessments: Sequence[Assessment]) -> Decision:
    """Put those that meet the requirements in order."""
    qualified = [one for one in assessments if not one.exclusions]
    measured = {cost for one in qualified for cost, figure in one.figures.items() if figure.basis is Basis.MEASURED}
    ranked = [_rank(subject, one, measured) for one in qualified]
    within = [one for one in ranked if not one.fails]
    return Decision(
        here=tuple(_ordered([one for one in within if one.candidate.ready])),
        elsewhere=tuple(_ordered([one for one in within if not one.candidate.ready])),
        over=tuple(one for one in ranked if one.fails),
    )


def needed(subject: Subject) -> tuple[str, ...]:
    """The costs that matter to this workload, by what is said of it."""
    found = [name for name, cost in costs().items() if cost.weight and subject[cost.weight]]
    if subject["lifetime"] is not None:
        found.append("start")
    if subject.workload.resources.memory is not None:
        found.append("bytes")
    return tuple(found)


def _ordered(ranked: list[Ranked]) -> list[Ranked]:
    """By cost where it is known, and by layers where no difference is shown.

    One whose cost is not known goes before all that have more layers: it is likely to be cheaper.
    """
    left = [one for one in ranked if one.total is not None]
    found: list[Ranked] = []
    while left:
        cheapest = min(left, key=_value)
        alike = [one for one in left if not _apart(cheapest, one)]
        found.append(min(alike, key=lambda one: (one.candidate.layers, _value(one))))
        left.remove(found[-1])
    for one in sorted((one for one in ranked if one.total is None), key=lambda one: -one.candidate.layers):
        place = next((n for n, other in enumerate(found) if other.candidate.layers > one.candidate.layers), len(found))
        found.insert(place, one)
    return found


def _value(one: Ranked) -> float:
    assert one.total is not None
    return one.total.value


def _apart(cheaper: Ranked, dearer: Ranked) -> bool:
    """Whether the second costs more for certain: the intervals have nothing in common."""
    assert cheaper.total is not None
    assert dearer.total is not None
    return cheaper.total.high < dearer.total.low


def _rank(subject: Subject, one: Assessment, measured: Collection[str]) -> Ranked:
    """Its total from what can be compared: others' figures stand for nothing that was measured here of anybody."""
    figures = {
        name: figure
        for name, figure in one.figures.items()
        if figure.decides and not (figure.basis is Basis.PUBLISHED and name in measured)
    }
    missing = tuple(name for name in needed(subject) if name not in figures)
    total = None
    if not missing:
        value, low, high = (_total(subject, figures, which) for which in ("value", "least", "most"))
        if any(figures[name].basis is Basis.MEASURED and figures[name].low is None for name in needed(subject)):
            low, high = min(low, value * (1 - _NOISE)), max(high, value * (1 + _NOISE))
        total = Total(value, low, high)
    bases = frozenset(figures[name].basis for name in needed(subject) if name in figures)
    return Ranked(one, tuple(_budgets(subject, one.figures)), total, missing, bases)


def _total(subject: Subject, figures: Mapping[str, Figure], which: str) -> float:
    time = _slowdown(subject, figures, which)
    if (lifetime := subject["lifetime"]) is not None:
        time += getattr(figures["start"], which) / _NS / lifetime
    if (own := subject.workload.resources.memory) is not None:
        time *= 1 + max(0.0, getattr(figures["bytes"], which)) / own
    return float(time)


def _slowdown(subject: Subject, figures: Mapping[str, Figure], which: str) -> float:
    """How many times as long the work itself takes: each share of its time as many times as its resource does."""
    weights = {cost.name: float(subject[cost.weight] or 0) for cost in costs().values() if cost.weight}
    whole = max(1.0, sum(weights.values()))
    return 1.0 + sum(w / whole * (float(getattr(figures[name], which)) - 1) for name, w in weights.items() if w)


def _budgets(subject: Subject, figures: Mapping[str, Figure]) -> list[Budget]:
    checks = {"startup": _startup, "max_slowdown": _max_slowdown, "density": _density, "starts": _starts}
    return [check(subject, figures) for name, check in checks.items() if subject[name] is not None]


def _startup(subject: Subject, figures: Mapping[str, Figure]) -> Budget:
    most = subject["startup"] * _NS
    return _against("startup", "start", figures.get("start"), f"ready within {quantity(most, 'ns')}", most=most)


def _density(subject: Subject, figures: Mapping[str, Figure]) -> Budget:
    least = subject["density"]
    return _against("density", "fits", figures.get("fits"), f"{least} at once on this host", least=least)


def _starts(subject: Subject, figures: Mapping[str, Figure]) -> Budget:
    """One after another; a rate beyond that is not refused, since several at once were not looked at."""
    start, rate = figures.get("start"), subject["starts"]
    words = f"{number(rate)} starts a second"
    if start is None or start.basis is Basis.PUBLISHED:
        return Budget("starts", "start", None, f"{words}: its start was not measured here")
    most = _NS / start.most
    if rate <= most:
        return Budget("starts", "start", True, f"{words}: one after another it starts {number(most)}")
    return Budget(
        "starts", "start", None, f"{words}: one after another it starts {number(most)}; how many at once is not known"
    )


def _max_slowdown(subject: Subject, figures: Mapping[str, Figure]) -> Budget:
    most = subject["max_slowdown"]
    words = f"at most {number(most)} times as long"
    names = [cost.name for cost in costs().values() if cost.weight and subject[cost.weight]]
    if not names:
        return Budget("max_slowdown", "cpu", None, f"{words}: nothing is said of what it does")
    if lacking := [name for name in names if name not in figures or not figures[name].decides]:
        return Budget("max_slowdown", lacking[0], None, f"{words}: {', '.join(lacking)} was not measured here")
    value, low, high = (_slowdown(subject, figures, which) for which in ("value", "least", "most"))
    if any(figures[name].basis is Basis.MEASURED and figures[name].low is None for name in names):
        low, high = value / _SWING, value * _SWING
    met = True if high <= most else False if low > most else None
    return Budget("max_slowdown", names[0], met, f"{words}: {number(value)} [{number(low)}, {number(high)}]")


def _bounds(figure: Figure) -> tuple[float, float]:
    """Between what it is for certain."""
    if figure.low is None and figure.basis is Basis.MEASURED:
        return figure.value / _SWING, figure.value * _SWING
    return figure.least, figure.most


def _against(
    name: str, cost: str, figure: Figure | None, words: str, *, most: float | None = None, least: float | None = None
) -> Budget:
    """Met or broken for certain when the whole interval is; else nobody knows."""
    if figure is None:
        return Budget(name, cost, None, f"{words}: not measured here")
    if figure.basis is Basis.PUBLISHED:
        return Budget(name, cost, None, f"{words}: not measured here; {described(figure)} on another's host")
    low, high = _bounds(figure)
    good = high <= most if most is not None else low >= (least or 0)
    bad = low > most if most is not None else high < (least or 0)
    return Budget(name, cost, True if good else False if bad else None, f"{words}: {described(figure)}")


def described(figure: Figure) -> str:
    """The value with its unit and its interval."""
    if figure.cost == "fits":
        text, ends = f"{figure.value:.0f}", [f"{end:.0f}" for end in (figure.least, figure.most)]
    else:
        text = f"{number(figure.value)} times" if figure.unit == "1" else quantity(figure.value, figure.unit)
        ends = [quantity(end, figure.unit) for end in (figure.least, figure.most)]
    return text if figure.low is None or figure.high is None else f"{text} [{', '.join(ends)}]"
