"""Makes the trials of a comparison one after another and writes down what each found."""

from __future__ import annotations

import gc
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic_ns
from traceback import extract_tb
from typing import Any

from isoscope.benchmarks.benchmark import Benchmark, Trial, Value
from isoscope.benchmarks.harness.interrupts import Interrupts
from isoscope.benchmarks.harness.plan import WARMUP_BLOCKS, Cell
from isoscope.benchmarks.harness.progress import TimeLeft
from isoscope.benchmarks.harness.stopping import Ended, Stopping
from isoscope.benchmarks.harness.terms import SCHEMA, Subject, Terms
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.benchmarks.results.trials import Row, TrialsFile, Unwritable
from isoscope.core.errors import IsoscopeError, Unsupported
from isoscope.core.lab import Lab
from isoscope.core.patience import patience
from isoscope.core.variant import Variant

#: Seconds that an instance may take to be ready, before its trial has failed; on a host of usual speed.
TIMEOUT = 60.0

#: Folder of a run in which benchmarks keep whole outputs of their tools: `raw/BENCHMARK/TRIAL-NAME`.
RAW = "raw"

#: Characters of a failure's reason that are kept; it may hold the tail of a guest's console.
_LONGEST_REASON = 2000

#: An instance's name in an error. It has gone with its instance; without it, equal failures have equal reasons.
_INSTANCE = re.compile(r"'?\b[0-9a-f]{12}\b'?")

_log = logging.getLogger(__name__)

Progress = Callable[[dict[str, Any]], None]


class Harness:
    """Carries out the trials of `terms`. One that fails is written down, and the next one is made."""

    def __init__(
        self,
        lab: Lab,
        terms: Terms,
        benchmarks: Mapping[str, Benchmark],
        file: TrialsFile,
        *,
        interrupts: Interrupts,
        stopping: Stopping,
        progress: Progress,
    ) -> None:
        self._lab = lab
        self._benchmarks = benchmarks
        self._subjects = {subject.benchmark: subject for subject in terms.subjects}
        self._options = {name: _read(benchmark, self._subjects[name]) for name, benchmark in benchmarks.items()}
        self._variants = {cell_variant: terms.variant(cell_variant) for cell_variant in _labels(terms)}
        self._file = file
        self._interrupts = interrupts
        self._stopping = stopping
        self._progress = progress

    def run(self, cells: Sequence[Cell], *, made: int) -> Ended | None:
        """Make the trials of `cells`, after `made` others, or as many blocks of them as are enough.

        Returns why it were not all. Raises Unwritable when the disk is full.
        """
        first = next((cell for cell in cells if not cell.warmup), None)
        if made and first is not None and (ended := self._stopping.enough_before(first)):
            return ended  # it was enough before; no trial is made, not even to warm up
        left = TimeLeft(cells)
        block, expected = None, self._stopping.needed
        with _settled_heap():
            for order, cell in enumerate(cells, made):
                if cell.block != block and not cell.warmup:
                    if ended := self._stopping.before(cell):
                        return ended
                    if self._stopping.needed != expected:
                        expected = self._stopping.needed
                        left.expect(one for one in cells[order - made :] if one.block < WARMUP_BLOCKS + expected)
                block = cell.block
                self._progress({"event": "trial", **vars(cell), "left_ns": self._left(left)})
                began = monotonic_ns()
                status, reason = self._make(cell, order)
                left.made(cell, monotonic_ns() - began)
                self._progress({"event": "made", **vars(cell), "status": status, "reason": reason})
        return None

    def _left(self, left: TimeLeft) -> int | None:
        """Nanoseconds that are probably left, or None while nobody knows."""
        times = [time for time in (left.estimate(), self._stopping.time_left()) if time is not None]
        return min(times, default=None)

    def _make(self, cell: Cell, order: int) -> tuple[str, str]:
        """Make one trial and write its rows. Returns its status and the reason of a failure."""
        variant = self._variants[cell.variant]
        common = self._common(cell, order, variant)
        missing = list(self._subjects[cell.benchmark].headline)
        status, reason = "ok", ""
        gc.collect()
        gc.disable()
        began = monotonic_ns()
        try:
            for value in self._measure(cell, variant):
                self._write(common, value, "unavailable")
                missing = [metric for metric in missing if metric != value.metric]
        except Unwritable:
            raise
        except Unsupported as error:
            status, reason = "unavailable", _reason(error)
        except Exception as error:  # whatever stops one trial must not stop the night
            status, reason = "failed", _reason(error)
            _log.debug("trial %d (%s, %s) failed", cell.trial, cell.benchmark, cell.variant, exc_info=True)
        finally:
            gc.enable()
        span = monotonic_ns() - began
        with self._interrupts.shield():
            for metric in missing if status != "ok" else ():
                self._write(common, Value(metric, None, reason=reason), status)
            self._write(common, Value(END_OF_TRIAL, span if status == "ok" else None, reason=reason), status)
        return status, reason

    def _measure(self, cell: Cell, variant: Variant) -> Iterator[Value]:
        benchmark = self._benchmarks[cell.benchmark]
        capabilities = self._lab.capabilities(variant)
        for name in sorted(benchmark.requires):
            if not getattr(capabilities, name):
                raise Unsupported(f"backend {variant.kind!r} lacks what {benchmark.name!r} needs: {name}")
        yield from benchmark.measure(
            Trial(
                lab=self._lab,
                variant=variant,
                workload=self._subjects[cell.benchmark].workload,
                block=cell.block,
                warmup=cell.warmup,
                timeout=patience(TIMEOUT),
                options=self._options[cell.benchmark],
                shield=self._interrupts.shield,
                step=lambda text: self._progress({"event": "step", "text": text}),
                keep=lambda name, data: self._keep(cell, name, data),
            )
        )

    def _common(self, cell: Cell, order: int, variant: Variant) -> Row:
        """The fields that all values of a trial share."""
        subject = self._subjects[cell.benchmark]
        return {
            "schema": SCHEMA,
            "benchmark": cell.benchmark,
            "variant": cell.variant,
            "backend": variant.backend,
            "workload": subject.name,
            "image": subject.image,
            "block": cell.block,
            "trial": cell.trial,
            "order": order,
            "warmup": cell.warmup,
            "started_at": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        }

    def _keep(self, cell: Cell, name: str, data: bytes) -> None:
        """Keep a file of a trial. Raises Unwritable when the disk is full."""
        path = self._file.directory / RAW / cell.benchmark / f"{cell.trial:05}-{name}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise self._file.unwritten(path, error.strerror or str(error)) from error

    def _write(self, common: Row, value: Value, status_of_missing: str) -> None:
        number, reason = value.value, value.reason
        if number is not None and not math.isfinite(number):
            number, reason, status_of_missing = None, f"the benchmark reported {number}", "failed"
        self._file.append(
            {
                **common,
                "metric": value.metric.name,
                "value": number,
                "unit": value.metric.unit,
                "status": "ok" if number is not None else status_of_missing,
                "reason": None if number is not None else reason,
                "labels": dict(value.labels),
            }
        )


def _labels(terms: Terms) -> set[str]:
    """Every variant of the plan, hidden ones too."""
    return {*terms.variants, *(subject.harness for subject in terms.subjects if subject.harness)}


def _read(benchmark: Benchmark, subject: Subject) -> dict[str, Any]:
    """The options of a benchmark as it reads them."""
    return {option.name: option.read(subject.options.get(option.name, option.default)) for option in benchmark.options}


@contextmanager
def _settled_heap() -> Iterator[None]:
    """Hide what lives already from the collector: a collection between two trials then costs next to nothing."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _reason(error: Exception) -> str:
    """What a row says about an error: of one that nobody raised on purpose, also where it came from."""
    if not isinstance(error, IsoscopeError):
        place = extract_tb(error.__traceback__)[-1]
        name = place.filename.rpartition("/")[2]
        return f"{type(error).__name__}: {error} ({name}:{place.lineno})"[:_LONGEST_REASON]
    told = error.hint and not error.hint.startswith("isoscope logs")  # its log has gone with the instance
    words = f"{error.message} ({error.hint})" if told else error.message
    return _INSTANCE.sub("the instance", words)[:_LONGEST_REASON]
