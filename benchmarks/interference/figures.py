"""The figures of `interference`: the matrix of slowdowns, and each of them with its interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.interference.metrics import FINISHED, SLOWDOWN
from isoscope.benchmarks.interference.terms import NEIGHBOURS, OFF, ON, relation
from isoscope.benchmarks.interference.victim import End
from isoscope.benchmarks.report.plots import Cell, bars, found, matrix
from isoscope.benchmarks.results.quantity import interval, number

if TYPE_CHECKING:
    import pandas as pd
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run
    from isoscope.benchmarks.results.summary import Series

_BENCHMARK = "interference"

_BUSY = 0.2  #: share of the host's CPU time in others' hands from which on a reader must know of it

#: Variant, accelerator, limits, neighbour.
_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class _Fate:
    """What became of the victim beside one neighbour, over all trials."""

    finished: int
    trials: int
    ends: frozenset[str]  #: of those that did not finish


def figures(run: Run) -> list[Figure]:
    """The matrix, and the slowdowns with their intervals; none of what was not measured."""
    victim = run.terms.subject(_BENCHMARK).options.get("victim", "")
    drawn = [
        _matrix(run, victim),
        bars(
            run,
            sorted(found(run, _BENCHMARK, SLOWDOWN), key=_group),
            name="interference-slowdown",
            title=f"Slowdown of the {victim} victim",
            by=("neighbour", "limits"),
            log=True,
            caption="Under each neighbour, with limits (on) and without (off). A victim that did not finish has no "
            "slowdown and so no mark: the matrix says where.",
        ),
    ]
    return [one for one in drawn if one is not None]


def _matrix(run: Run, victim: str) -> Figure | None:
    cells = _cells(run)
    rows = dict.fromkeys(_row(key) for key in sorted(cells, key=_place(run)))
    columns = {
        name: f"{name} ({relation(victim, name)})" for name in NEIGHBOURS if any(key[3] == name for key in cells)
    }
    return matrix(
        list(rows),
        list(columns.values()),
        {(_row(key), columns[key[3]]): cell for key, cell in cells.items()},
        name="interference-matrix",
        title=f"How many times as long a {victim} victim takes beside each neighbour",
        caption="Rows are what both sides ran on, columns the neighbour and how it stands to the victim. A cell is the "
        "median slowdown, with its 95 % interval where there is one; 1 is perfect isolation, and the deeper the tint, "
        "the further from it. The list of what failed says why something was not run.",
    )


def _cells(run: Run) -> dict[_Key, Cell]:
    patience = float(run.terms.subject(_BENCHMARK).options.get("patience", 10))
    slowdowns = {_key(one): one for one in run.results.of(_BENCHMARK, SLOWDOWN.name, "headline") if one.values}
    accelerators = {key[0]: key[1] for key in slowdowns}
    cells: dict[_Key, Cell] = {}
    for key, fate in _fates(run, accelerators).items():
        if not fate.trials:
            cells[key] = Cell(None, "not run")
        elif not fate.finished:
            words = "out of memory" if fate.ends == {End.OOM_KILLED.value} else "did not finish"
            cells[key] = Cell(patience, words)
        else:
            one = slowdowns[key]
            words = f"{number(one.p50 or 0)} {interval(one.median_interval)}".strip()
            if fate.finished < fate.trials:
                words += f", {fate.finished} of {fate.trials}"
            cells[key] = Cell(one.p50, words)
    return cells


def _fates(run: Run, accelerators: dict[str, str]) -> dict[_Key, _Fate]:
    """A row that says why there is no value does not know the accelerator: it takes that of the variant's others."""
    rows = _rows(run, FINISHED.name)
    several: dict[_Key, list[tuple[float, str]]] = {}
    columns = (rows[name] for name in ("variant", "accelerator", "labels", "value"))
    for variant, accelerator, labels, value in zip(*columns, strict=True):
        if "neighbour" in labels and variant in run.terms.variants:
            key = variant, accelerator or accelerators.get(variant, ""), labels["limits"], labels["neighbour"]
            several.setdefault(key, []).append((value, str(labels.get("ended", ""))))
    return {key: _fate(ends) for key, ends in several.items()}


def _fate(ends: list[tuple[float, str]]) -> _Fate:
    known = [(value, end) for value, end in ends if value == value]  # noqa: PLR0124 - a missing value is NaN
    return _Fate(
        finished=sum(value == 1 for value, _ in known),
        trials=len(known),
        ends=frozenset(end for value, end in known if value != 1),
    )


def _rows(run: Run, metric: str) -> pd.DataFrame:
    frame = run.trials
    return frame[(frame["benchmark"] == _BENCHMARK) & (frame["metric"] == metric) & ~frame["warmup"]]


def _key(series: Series) -> _Key:
    labels = series.labels
    return series.variant, series.accelerator, str(labels.get("limits", "")), str(labels.get("neighbour", ""))


def _group(series: Series) -> tuple[int, int]:
    _, _, limits, neighbour = _key(series)
    return NEIGHBOURS.index(neighbour), (ON, OFF).index(limits)


def _place(run: Run) -> Any:
    """The order of rows: as the variants were named, with limits first."""
    variants = list(run.terms.variants)
    return lambda key: (variants.index(key[0]), key[1], (ON, OFF).index(key[2]))


def _row(key: _Key) -> str:
    accelerator = f" ({key[1]})" if key[1] else ""
    return f"{key[0]}{accelerator}, limits {key[2]}"


# What a reader must know first


def cautions(run: Run) -> list[str]:
    """What the host is, what the neighbours were not, and where one was not at work."""
    labels = [one for one in _rows(run, SLOWDOWN.name)["labels"] if "neighbour_active" in one]
    return [*_of_host(labels, _busy(run)), *_of_neighbours(labels)]


def _busy(run: Run) -> float:
    """The greater share of the host's CPU time that others took before and after; 0 when nobody looked."""
    looks = (run.environment.get(when) for when in ("before", "after"))
    shares = [look.get("busy") for look in looks if isinstance(look, dict)]
    return max((float(share) for share in shares if isinstance(share, int | float)), default=0.0)


def _of_host(labels: list[dict[str, Any]], busy: float) -> Iterator[str]:
    for count in sorted({one["host_cpus"] for one in labels if "host_cpus" in one}):
        yield (
            f"The host has {count} CPU{'s' if count > 1 else ''}: with limits, victim and neighbour together are given "
            "exactly these, and what the host and the harness themselves do comes on top. A neighbour held to its "
            "share of time still shares caches, memory and disk, and may run on the victim's CPU when it is its turn."
        )
    if busy > _BUSY:
        yield (
            f"Others took {busy:.0%} of the host's CPU time before or after: they are neighbours in every figure, also "
            "in those alone. Containers with limits stand in one cgroup and divide its share of a busy host: that "
            "alone may slow a victim by 2 beside whatever wants CPU time."
        )
    if any(one.get("autogroup") for one in labels):
        yield (
            "The host's scheduler groups processes by session (sched_autogroup_enabled, sched(7)): without limits CPU "
            "time is shared between instances, not their processes. A host that does not may show others."
        )


def _of_neighbours(labels: list[dict[str, Any]]) -> Iterator[str]:
    if any(one["limits"] == OFF for one in labels):
        yield (
            "Without limits the neighbours are held by ceilings of their own, which protect the host: their slowdowns "
            "are not the worst that there is. A virtual machine is limited in any case, by its memory and its CPUs."
        )
    if idle := sum(not one["neighbour_active"] for one in labels):
        yield f"In {idle} of {len(labels)} cases the neighbour ended before the victim: it was not beside it all along."
