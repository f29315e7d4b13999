"""What differs between two runs, series by series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from isoscope.benchmarks.diff.likeness import Unlike, unlike
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.results.independent import difference_of_independent, ratio_of_independent
from isoscope.benchmarks.results.judgement import Judgement, judge
from isoscope.benchmarks.results.quantity import under
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.statistics import Interval
from isoscope.benchmarks.results.summary import Series
from isoscope.benchmarks.results.values import block_values
from isoscope.core.errors import InputError

#: Of what `--json` prints.
SCHEMA = 1

_NONE = Interval(None, None)

_Key = tuple[Any, ...]  # benchmark, metric, variant and dimensions


@dataclass(frozen=True)
class Line:
    """One series in both runs, or in one of them."""

    benchmark: str
    metric: Metric
    variant: str
    accelerator: str
    labels: Mapping[str, Any]
    first: float | None  #: p50
    second: float | None
    blocks: tuple[int, int]
    ratio: float | None = None  #: of the second median to the first
    interval: Interval = _NONE
    p_value: float | None = None  #: of the difference, by permutation; for this line on its own
    floor: float | None = None  #: share by which an A/A selftest was off, where one is known
    judgement: Judgement | None = None
    reason: str = ""  #: why it is not comparable

    @property
    def name(self) -> str:
        """Metric and dimensions."""
        return f"{self.metric.name} {under(dict(self.labels))}".rstrip()

    @property
    def who(self) -> str:
        """Variant and accelerator."""
        return f"{self.variant} ({self.accelerator})" if self.accelerator else self.variant

    @property
    def verdict(self) -> str:
        """`faster`, `slower`, `no difference shown`, `not comparable`, ..."""
        return self.judgement.word if self.judgement else "not comparable"

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        metric = {"metric": self.metric.name, "unit": self.metric.unit, "direction": self.metric.direction.value}
        data = {**asdict(self), **metric, "labels": dict(self.labels), "verdict": self.verdict}
        del data["judgement"]
        return data


@dataclass(frozen=True)
class Difference:
    """Two runs beside each other."""

    first: Run
    second: Run
    unlike: tuple[Unlike, ...]
    lines: tuple[Line, ...]

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "schema": SCHEMA,
            "first": _about(self.first),
            "second": _about(self.second),
            "unlike": [asdict(one) for one in self.unlike],
            "lines": [line.as_dict() for line in self.lines],
        }


def compare(first: Run, second: Run, *, anyway: bool = False) -> Difference:
    """Compare two runs. Raises InputError when they are one, share nothing, or are unlike and nobody said anyway."""
    if first.directory.resolve() == second.directory.resolve():
        raise InputError(f"{first.directory} stands twice", hint="name two runs")
    ours, theirs = _series(first), _series(second)
    if not {key[0] for key in ours} & {key[0] for key in theirs}:
        raise InputError(
            f"the runs have no benchmark in common: {_benchmarks(first)} against {_benchmarks(second)}",
            hint="measure both with the same -m",
        )
    found = unlike(first, second)
    if found and not anyway:
        raise InputError(
            f"the runs were not made alike: {'; '.join(map(str, found))}",
            hint="what differs may be all that the figures show; to compare them all the same: --anyway",
        )
    lines = [line for key in dict.fromkeys([*ours, *theirs]) for line in _lines(first, second, ours, theirs, key)]
    return Difference(first, second, tuple(found), tuple(_in_order(lines, first, second)))


def _in_order(lines: list[Line], first: Run, second: Run) -> list[Line]:
    """By benchmark, metric and dimensions as the runs have them, so that variants stand beside each other."""
    benchmarks = [subject.benchmark for run in (first, second) for subject in run.terms.subjects]
    names = [(line.benchmark, line.name) for line in lines]
    return sorted(lines, key=lambda line: (benchmarks.index(line.benchmark), names.index((line.benchmark, line.name))))


def _series(run: Run) -> dict[_Key, list[Series]]:
    """The headline series of a run; several under one key where a variant ran on several accelerators."""
    found: dict[_Key, list[Series]] = {}
    for one in run.results.series:
        if one.role == "headline":
            key = (one.benchmark, one.metric.name, one.variant, *sorted(one.labels.items(), key=str))
            found.setdefault(key, []).append(one)
    return found


def _lines(
    first: Run, second: Run, ours: Mapping[_Key, list[Series]], theirs: Mapping[_Key, list[Series]], key: _Key
) -> Iterator[Line]:
    """The lines of one series: a figure of TCG and one of KVM never stand in one."""
    left = {one.accelerator: one for one in ours.get(key, ())}
    right = {one.accelerator: one for one in theirs.get(key, ())}
    for accelerator in left.keys() & right.keys():
        one, other = left.pop(accelerator), right.pop(accelerator)
        if why := _incomparable(one, other):
            yield _without_ratio(one, other, why)
        else:
            yield _line(first, second, one, other)
    if left and right:
        one, other = next(iter(left.values())), next(iter(right.values()))
        yield _without_ratio(one, other, f"{_names(left)} in the first run, {_names(right)} in the second")
        return
    yield from (_without_ratio(one, None, "not in the second run") for one in left.values())
    yield from (_without_ratio(None, other, "not in the first run") for other in right.values())


def _names(accelerators: Mapping[str, Series]) -> str:
    return ", ".join(name or "no accelerator" for name in accelerators)


def _incomparable(one: Series, other: Series) -> str:
    """Why two series of the same name have no ratio; empty when they have one."""
    if one.metric.unit != other.metric.unit:
        return f"{one.metric.unit} in the first run, {other.metric.unit} in the second"
    gaps = [(place, found.reason) for place, found in (("first", one), ("second", other)) if found.p50 is None]
    if len(gaps) == 2 and one.reason == other.reason:
        return f"no value in either run: {one.reason}"
    return "; ".join(f"no value in the {place} run: {why}" for place, why in gaps)


def _without_ratio(one: Series | None, other: Series | None, reason: str) -> Line:
    told = one or other
    assert told is not None
    return Line(
        **_common(told),
        first=one.p50 if one else None,
        second=other.p50 if other else None,
        blocks=(one.blocks if one else 0, other.blocks if other else 0),
        reason=reason,
    )


def _line(first: Run, second: Run, one: Series, other: Series) -> Line:
    before, after = block_values(first, one), block_values(second, other)
    rng = _rng(first, second, one)
    interval = ratio_of_independent(after, before, rng)
    floor = _floor(one, first, second)
    judgement = judge(one.metric, interval, floor=floor or 0.0)
    base = float(np.median(before))
    return Line(
        **_common(one),
        first=one.p50,
        second=other.p50,
        blocks=(len(before), len(after)),
        ratio=float(np.median(after)) / base if base else None,
        interval=interval,
        p_value=difference_of_independent(after, before, rng),
        floor=floor,
        judgement=judgement,
        reason="" if judgement else interval.reason or "",
    )


def _common(one: Series) -> dict[str, Any]:
    return {
        "benchmark": one.benchmark,
        "metric": one.metric,
        "variant": one.variant,
        "accelerator": one.accelerator,
        "labels": one.labels,
    }


def _floor(one: Series, first: Run, second: Run) -> float | None:
    """The most that a selftest of either host was off for this metric on this backend; None where none was made."""
    backend = first.terms.variant(one.variant).backend
    known = [
        float(entry["greatest"])
        for run in (first, second)
        for entry in run.results.noise_floor
        if entry["benchmark"] == one.benchmark
        and entry["backend"] == backend
        and entry["metric"] == one.metric.name
        and dict(entry["labels"]) == one.labels
    ]
    return max(known, default=None)


def _rng(first: Run, second: Run, one: Series) -> np.random.Generator:
    """The same figures from the same two runs, whichever other series there are."""
    digest = sha256(f"{one.benchmark}/{one.metric.name}/{one.name}".encode()).digest()[:8]
    return np.random.default_rng([first.terms.seed, second.terms.seed, int.from_bytes(digest, "big")])


def _about(run: Run) -> dict[str, Any]:
    return {
        "directory": str(run.directory),
        "created_at": run.terms.created_at,
        "blocks": run.results.blocks_made,
        "versions": dict(run.terms.versions),
    }


def _benchmarks(run: Run) -> str:
    return ", ".join(subject.benchmark for subject in run.terms.subjects)
