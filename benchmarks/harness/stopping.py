"""Ends a comparison before its last block: when its intervals are narrow enough, or its time is up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from time import monotonic_ns
from typing import Any

from isoscope.benchmarks.harness.extent import looks
from isoscope.benchmarks.harness.plan import WARMUP_BLOCKS, Cell
from isoscope.benchmarks.harness.terms import Terms
from isoscope.core.units import format_duration

_Progress = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Ended:
    """Why no more blocks were made, though more were allowed."""

    why: str  #: `precision` or `budget`
    sentence: str


class Stopping:
    """Asked between two blocks. Holds the clock of the budget, which starts when it is made."""

    def __init__(self, terms: Terms, directory: Path, progress: _Progress) -> None:
        self._terms = terms
        self._directory = directory
        self._progress = progress
        self._looks = frozenset(looks(terms.blocks)) if terms.precision is not None else frozenset()
        self._began = self._block_began = monotonic_ns()
        self._longest = 0
        self._looked = 0
        self.needed = terms.blocks  #: how many blocks it will probably be

    def before(self, cell: Cell) -> Ended | None:
        """Whether the block that begins with this trial is to be left out, and why."""
        now = monotonic_ns()
        self._longest = max(self._longest, now - self._block_began)
        made = cell.block - WARMUP_BLOCKS
        ended = self._narrow_enough(made) if made in self._looks and made != self._looked else None
        ended = ended or (self._time_is_up(made) if made > 0 else None)
        self._block_began = monotonic_ns()  # a look is no part of a block
        return ended

    def time_left(self) -> int | None:
        """Nanoseconds of the budget that are left; None without one."""
        if self._terms.budget is None:
            return None
        return max(0, round(self._terms.budget * 1e9) - (monotonic_ns() - self._began))

    def _time_is_up(self, made: int) -> Ended | None:
        left = self.time_left()
        if left is None or self._longest <= left:
            return None
        return Ended(
            "budget",
            f"ended after {made} of at most {self._terms.blocks} blocks: another, {format_duration(self._longest)} "
            f"long, would not have fitted into the budget of {format_duration((self._terms.budget or 0) * 1e9)}",
        )

    def _narrow_enough(self, made: int) -> Ended | None:
        self._looked = made
        wanted = self._terms.precision or 0.0
        found = self._look()
        if found is None:
            return None
        widest, series = found["widest"], found["series"]
        if found["reached"]:
            return Ended(
                "precision",
                f"ended after {made} of at most {self._terms.blocks} blocks: every headline interval lay within "
                f"± {wanted:.2%} of its value, the widest within ± {widest:.2%} ({series})",
            )
        told = "no interval yet"
        if widest is not None:  # widths shrink with the root of the number of blocks
            needed = max(made + 1, ceil(made * (widest / wanted) ** 2))
            self.needed = min(self._terms.blocks, needed)
            told = f"± {widest:.2%}; ± {wanted:.2%} takes about {needed} blocks, and {self._terms.blocks} are allowed"
        self._progress({"event": "note", "text": f"after {made} blocks: {series}: {told}"})
        return None

    def _look(self) -> dict[str, Any] | None:
        """What the intervals are like so far, or None where that cannot be known.

        In a process of its own: numpy and pandas would stay in this one, with their memory and their threads, beside
        every later trial. It must not be a fork, because this process has threads.
        """
        command = [sys.executable, "-P", "-m", "isoscope.benchmarks.results.precision", str(self._directory)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        try:
            found: dict[str, Any] = json.loads(done.stdout)
        except ValueError:
            reason = done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}"
            self._progress({"event": "note", "text": f"the intervals cannot be looked at: {reason}"})
            return None
        return found
