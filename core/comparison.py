"""What a comparison asks for. The harness in `isoscope.benchmarks` carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from isoscope.core.variant import Variant
from isoscope.core.workload import Workload

#: The folder of runs, where nobody names another.
RUNS = Path("runs")


def new_folder() -> Path:
    """Where a run goes of which nobody says where: `runs/` and the time."""
    return RUNS / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


@dataclass(frozen=True)
class Comparison:
    """One workload, several variants, one or more benchmarks, in blocks of random order."""

    workload: Workload | None  #: None means each benchmark's own default
    variants: tuple[Variant, ...]
    benchmarks: tuple[str, ...]  #: names, or names with options: `disk:size=1G`; one text may hold several
    blocks: int | None  #: None means as many as the other terms suggest
    seed: int
    quick: bool  #: options of benchmarks that are not given take their quick values
    directory: Path  #: the run's folder
    precision: float | None = None  #: go on until intervals are so narrow: half of the width over the value
    budget: float | None = None  #: seconds that the measuring may take
    resume: bool = False  #: go on with the run that stands in `directory`, on its own terms
    #: Called with each event of the run's progress, as plain data with a key `event`.
    progress: Callable[[dict[str, Any]], None] | None = None
