"""The benchmark `interference`: how much slower a victim gets beside a neighbour, and whether it finishes at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Trial, Value
from isoscope.benchmarks.interference.case import Case
from isoscope.benchmarks.interference.metrics import ALONE, FINISHED, SLOWDOWN
from isoscope.benchmarks.interference.terms import NEIGHBOURS, OFF, ON, VICTIMS
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import BenchmarkOption, choice, count
from isoscope.core.errors import InputError, IsoscopeError
from isoscope.core.units import parse_duration, parse_size
from isoscope.core.workload import Resources

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run


#: Seconds of work alone. Beside a neighbour it may take `patience` times as long, and a neighbour ends by itself.
_LONGEST_WORK = 60.0


def _several(*known: str) -> Callable[[str], tuple[str, ...]]:
    """A reader that takes words with a plus sign between them, in the order of `known`."""

    def read(text: str) -> tuple[str, ...]:
        words = text.split("+")
        for word in words:
            choice(*known)(word)
        return tuple(word for word in known if word in words)

    return read


def _work(text: str) -> float:
    """Seconds. Raises InputError."""
    seconds = parse_duration(text)
    if not 0.01 <= seconds <= _LONGEST_WORK:
        raise InputError(f"{text!r} is not from 0.01s to {_LONGEST_WORK:g}s", hint="write 0.25s, 1s, 5s")
    return seconds


def _memory(text: str) -> int:
    """Bytes that an instance can be limited to. Raises InputError."""
    size = parse_size(text)
    Resources(memory=size)
    return size


def _pids(text: str) -> int:
    """Tasks that an instance can be limited to. Raises InputError."""
    number = count(text)
    Resources(pids=number)
    return number


class Interference(Benchmark):
    """One victim, and one neighbour at a time, each an instance of the same variant."""

    name: ClassVar[str] = "interference"
    summary: ClassVar[str] = (
        "slowdown of a victim beside neighbours that take all they can get, with and without limits"
    )
    workload: ClassVar[str] = "victim"
    headline: ClassVar[tuple[Metric, ...]] = (SLOWDOWN, FINISHED)
    details: ClassVar[tuple[Metric, ...]] = (ALONE,)
    dimensions: ClassVar[tuple[str, ...]] = ("limits", "neighbour")
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("victim", "what the victim needs: cpu, memory or disk", "cpu", read=choice(*VICTIMS)),
        BenchmarkOption(
            "neighbours",
            "which neighbours, with + between them: cpu, memory, disk, fork-bomb",
            "+".join(NEIGHBOURS),
            quick="cpu+memory+fork-bomb",
            read=_several(*NEIGHBOURS),
        ),
        BenchmarkOption(
            "limits", "on, off or on+off: whether both sides are limited", f"{ON}+{OFF}", read=_several(ON, OFF)
        ),
        BenchmarkOption(
            "work",
            "how long the victim's work takes alone, about; it is fixed for each variant in its warm-up",
            "1s",
            quick="0.25s",
            read=_work,
        ),
        BenchmarkOption(
            "patience",
            "how many times as long as alone the victim may take until it counts as not finished",
            "10",
            read=count,
        ),
        BenchmarkOption("memory", "memory of each side with limits", "256M", read=_memory),
        BenchmarkOption("pids", "tasks of each side with limits", "64", read=_pids),
        BenchmarkOption(
            "unlimited",
            "yes lets a fork bomb (of 256 tasks) loose without a limit on a kernel that others use",
            "no",
            read=choice("no", "yes"),
        ),
    )

    def __init__(self) -> None:
        self._units: dict[str, int] = {}

    def measure(self, trial: Trial) -> Iterator[Value]:
        """A slowdown, and whether the victim finished, for each neighbour with limits and without.

        A warm-up only finds how much work takes the wanted time.

        A neighbour that could not be had makes the trial fail in the end, but does not take the others with it.
        """
        troubles: list[IsoscopeError] = []
        for limits in trial.options["limits"]:
            if trial.warmup and str(trial.variant) in self._units:
                break
            yield from Case.of(trial, limits, self._units).measure(troubles)
        if troubles:
            raise troubles[0]

    def cautions(self, run: Run) -> list[str]:
        """What the host is, and what the neighbours were not."""
        from isoscope.benchmarks.interference.figures import cautions

        return cautions(run)

    def figures(self, run: Run) -> list[Figure]:
        """The matrix of slowdowns, and each with its interval."""
        from isoscope.benchmarks.interference.figures import figures

        return figures(run)
