"""How long a comparison will still take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean, median

from isoscope.benchmarks.harness.plan import Cell


class TimeLeft:
    """Estimates from the trials already made; a variant's warm-up counts until it has been measured."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._left = Counter(map(_kind, cells))
        self._spans: dict[tuple[str, str], list[int]] = {}
        self._warmups: dict[tuple[str, str], list[int]] = {}

    def made(self, cell: Cell, span_ns: int) -> None:
        """A trial took this long."""
        (self._warmups if cell.warmup else self._spans).setdefault(_kind(cell), []).append(span_ns)
        self._left[_kind(cell)] -= 1

    def expect(self, cells: Iterable[Cell]) -> None:
        """What is left are these trials, and not what was thought before."""
        self._left = Counter(map(_kind, cells))

    def estimate(self) -> int | None:
        """Nanoseconds for the trials that are left, or None before any was made."""
        typical = {kind: median(spans) for kind, spans in {**self._warmups, **self._spans}.items()}
        if not typical:
            return None
        unknown = fmean(typical.values())
        return round(sum(count * typical.get(kind, unknown) for kind, count in self._left.items()))


def _kind(cell: Cell) -> tuple[str, str]:
    return cell.benchmark, cell.variant
