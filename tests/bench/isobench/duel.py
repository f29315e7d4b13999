"""What a bench does its measuring with: ours and a yardstick turn by turn, and what comes of it on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import Any

from isobench import machine
from isobench.baseline import Baseline, Figure, Judgement, Limit, judge
from isobench.rounds import Rounds

#: Does something and returns the ns that count, or None when all of it counts.
Job = Callable[[], int | None]


@dataclass
class Ledger:
    """What all benches of one run, or of several runs one after another, have found."""

    baseline: Baseline
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    said: list[Judgement | Limit] = field(default_factory=list)


class Duel:
    """One bench's measuring. Calls pytest-benchmark's fixture, whose table shows what ours takes."""

    def __init__(self, benchmark: Any, ledger: Ledger, *, judging: bool) -> None:
        self._benchmark = benchmark
        self._ledger = ledger
        self._judging = judging
        self._busy = machine.busy()
        self._spread = 0.0
        self.failures: list[str] = []

    def __call__(self, name: str, ours: Job, yardstick: Job, *, to: str, rounds: int, warmups: int = 1) -> Rounds:
        """Measure both, one after the other in each round; `to` says what the yardstick is."""
        found = Rounds()
        one, other = _timed(ours, found.ours), _timed(yardstick, found.yardstick)
        for _ in range(warmups):
            other()
            one()
        found.ours.clear()
        found.yardstick.clear()
        self._benchmark.pedantic(one, setup=other, rounds=rounds, iterations=1)
        self.ratio(name, found, to=to)
        return found

    def once(self, job: Callable[[], None]) -> None:
        """Run a job that does its own timing of many rounds."""
        self._benchmark.pedantic(job, rounds=1, iterations=1)

    def ratio(self, name: str, found: Rounds, *, to: str) -> None:
        """Put the ratio of both jobs on record."""
        self._spread = found.spread
        self.value(name, found.ratio, f"times {to}")

    def value(self, name: str, value: float, unit: str, *, timed: bool = True) -> None:
        """Put a figure on record that means the same on every machine, and judge it by the baseline.

        One that is not `timed`, such as memory, is the same whatever else happens on the host.
        """
        figure = self._figure(name, value, unit, timed)
        self._ledger.figures.setdefault(name, []).append(figure)
        self._benchmark.extra_info[f"{name}, {unit}"] = round(value, 4)
        if self._judging:
            self._say(judge(figure, self._ledger.baseline.figures.get(name)))

    def limit(self, name: str, value: float, most: float, unit: str, *, timed: bool = True) -> None:
        """Hold a figure to a bound, whatever the baseline says."""
        self._say(Limit(self._figure(name, value, unit, timed), most))

    def _figure(self, name: str, value: float, unit: str, timed: bool) -> Figure:
        if not timed:
            return Figure(name, value, unit)
        return Figure(name, value, unit, self._spread, max(self._busy, machine.busy()))

    def _say(self, said: Judgement | Limit) -> None:
        self._ledger.said.append(said)
        if said.kind.fails:
            self.failures.append(f"{said.kind}: {said.sentence}")


def _timed(job: Job, values: list[float]) -> Callable[[], None]:
    def run() -> None:
        began = monotonic_ns()
        told = job()
        values.append(monotonic_ns() - began if told is None else told)

    return run
