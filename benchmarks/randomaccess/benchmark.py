"""The benchmark `randomaccess`: updates of a table that is larger than the caches and the TLB's reach."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.accounted import accounted, field, malformed, middle, positive, spans, staying
from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.cpu_time import NOT_COUNTED
from isoscope.benchmarks.memory.benchmark import mebibytes
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.randomaccess.metrics import CLOCK, SHARE, UPDATES
from isoscope.benchmarks.request import BenchmarkOption, count

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_PROGRAM = "gups"  #: images/programs/gups.c
_TIMEOUT = 600.0
_MOST = 1000  #: repetitions


class RandomAccess(Benchmark):
    """A static program of ours in an instance that stays."""

    name: ClassVar[str] = "randomaccess"
    summary: ClassVar[str] = "random updates of a large table: memory's latency, and what nested page tables add to it"
    workload: ClassVar[str] = "bench"
    headline: ClassVar[tuple[Metric, ...]] = (UPDATES,)
    details: ClassVar[tuple[Metric, ...]] = (SHARE, CLOCK)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption("table", "size of the table, down to a power of two", "128M", "32M", mebibytes),
        BenchmarkOption("repetitions", "passes over it", "5", "3", partial(count, most=_MOST)),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Its figures. Raises CommandNotFound for an image without the program, WorkloadFailed, Timeout."""
        repetitions = 1 if trial.warmup else trial.options["repetitions"]
        command = (_PROGRAM, str(trial.options["table"]), str(repetitions))
        with staying(trial) as instance:
            trial.step(_PROGRAM)
            done = accounted(instance, command, timeout=_TIMEOUT)
            labels: dict[str, Label] = {**instance.proof(), "command": shlex.join(command)}
        trial.keep(f"{_PROGRAM}.jsonl", done.text)
        found = [record for _, record in done.records()]
        if len(found) != 3:
            raise malformed(_PROGRAM, "\n".join(line.text for line in done.lines))
        updates = positive(found[2], "updates", _PROGRAM)
        labels |= {
            "table_bytes": positive(found[2], "bytes", _PROGRAM),
            "huge_bytes": field(found[1], "huge", int, _PROGRAM),
        }
        yield Value(UPDATES, middle([updates * 1e9 / span for span in spans(found[2], "ns", _PROGRAM)]), labels)
        yield Value(SHARE, done.share, labels, reason=NOT_COUNTED)
        yield Value(CLOCK, done.clock, labels)

    def cautions(self, run: Run) -> list[str]:
        """TCG, clocks, CPUs that others used."""
        from isoscope.benchmarks import hazards

        means = "an access is the work of TCG's own page tables, not of memory"
        return [
            *hazards.translated(run, self.name, means=means),
            *hazards.clocks(run, CLOCK),
            *hazards.waiting(run, SHARE),
        ]

    def figures(self, run: Run) -> list[Figure]:
        """Updates a second."""
        from isoscope.benchmarks.report.plots import bars, found

        drawn = bars(run, found(run, self.name, UPDATES), name="randomaccess", title="Random updates a second")
        return [drawn] if drawn else []
