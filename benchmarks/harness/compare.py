"""Carries out a comparison from its request to its report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from isoscope.benchmarks.benchmark import Benchmark
from isoscope.benchmarks.harness import environment
from isoscope.benchmarks.harness.agree import agree, agreed
from isoscope.benchmarks.harness.display import unless_told
from isoscope.benchmarks.harness.harness import Harness, Progress
from isoscope.benchmarks.harness.interrupts import Interrupted, Interrupts
from isoscope.benchmarks.harness.plan import remaining
from isoscope.benchmarks.harness.stopping import Ended, Stopping
from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.results import noise
from isoscope.benchmarks.results.files import read_json, write_json
from isoscope.benchmarks.results.run import ENVIRONMENT, MANIFEST, Run
from isoscope.benchmarks.results.trials import Row, TrialsFile
from isoscope.core.comparison import Comparison
from isoscope.core.lab import Lab
from isoscope.core.plugins import choose, offers


def compare(lab: Lab, comparison: Comparison) -> Run:
    """Measure, then write summary and report. Returns the run.

    Everything that can be refused is refused before anything is measured: InputError, NotFound, Unsupported or
    BackendUnavailable. A signal stops the measuring; what is done is summarized all the same, and `Interrupted` raised.
    """
    with unless_told(comparison.progress) as progress:
        stopped = (_go_on if comparison.resume else _begin)(lab, comparison, progress)
        progress({"event": "summary"})
        run, _ = derive(lab, comparison.directory)
    if stopped is not None:
        stopped.run = run
        raise stopped
    return run


def derive(lab: Lab, directory: Path, report: str = "html") -> tuple[Run, Path]:
    """Write summary and report from the trials of a run. Returns it and the report. Raises InputError and NotFound."""
    write = choose(offers(lab.plugins.isoscope_register_reports, "report"), report, "report")
    run = Run.load(directory)
    run.write()
    return run, write(directory)


def _begin(lab: Lab, comparison: Comparison, progress: Progress) -> Interrupted | None:
    terms, benchmarks = agree(lab, comparison, progress)
    return begin(lab, comparison.directory, terms, benchmarks, progress)


def begin(
    lab: Lab, directory: Path, terms: Terms, benchmarks: Mapping[str, Benchmark], progress: Progress
) -> Interrupted | None:
    """Make the trials of a new run in `directory`. Returns the signal that stopped them, if one did."""
    with closing(TrialsFile.new(directory)) as file:
        write_json(directory / MANIFEST, terms.as_dict())
        return _measure(lab, terms, benchmarks, file, done=[], progress=progress)


def _go_on(lab: Lab, comparison: Comparison, progress: Progress) -> Interrupted | None:
    terms, benchmarks = agreed(lab, comparison.directory, progress)
    file, done = TrialsFile.resume(comparison.directory)
    with closing(file):
        return _measure(lab, terms, benchmarks, file, done=done, progress=progress)


def _measure(
    lab: Lab,
    terms: Terms,
    benchmarks: Mapping[str, Benchmark],
    file: TrialsFile,
    *,
    done: list[Row],
    progress: Progress,
) -> Interrupted | None:
    """Make the trials that are left. Returns the signal that stopped them, if one did."""
    made = {row["trial"] for row in done}
    cells = terms.cells()
    left = remaining(cells, made)
    host = _Environment(lab, file.directory)
    for sentence in host.begin():
        progress({"event": "note", "text": sentence})
    progress(
        {
            "event": "begin",
            "trials": len(left) + len(made),
            "at_most": terms.precision is not None or terms.budget is not None,
            "made": len(made),
            "directory": str(file.directory),
        }
    )
    stopped, ended = None, None
    with Interrupts() as interrupts:
        stopping = Stopping(terms, file.directory, progress)
        harness = Harness(lab, terms, benchmarks, file, interrupts=interrupts, stopping=stopping, progress=progress)
        try:
            ended = harness.run(left, made=len(made))
        except Interrupted as signal:
            stopped = signal
    if ended is not None:
        progress({"event": "note", "text": ended.sentence})
    for sentence in host.end(ended):
        progress({"event": "note", "text": sentence})
    return stopped


class _Environment:
    """`environment.json` while a run is measured. The parts of a run that went on before this one are kept."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab = lab
        self._path = directory / ENVIRONMENT
        known = read_json(self._path) if self._path.exists() else {}
        earlier = (
            [*known.get("earlier", []), {key: known[key] for key in ("before", "after", "notes")}] if known else []
        )
        self._data = {
            "schema": 1,
            **environment.facts(lab),
            "before": {},
            "after": None,
            "ended": None,
            "selftest": noise.load(lab.home, environment.identity(lab)),
            "notes": [],
            "earlier": earlier,
        }

    def begin(self) -> list[str]:
        """Write down the host before the trials. Returns what may disturb them."""
        self._data["before"] = self._moment()
        return self._note(environment.dirt(self._data["before"]))

    def end(self, ended: Ended | None) -> list[str]:
        """Write down the host after the trials, and why there are no more. Returns what did disturb them."""
        self._data["ended"] = None if ended is None else asdict(ended)
        self._data["after"] = self._moment()
        return self._note(environment.theft(environment.stolen(self._data["before"], self._data["after"])))

    def _moment(self) -> dict[str, object]:
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return {"at": at, **environment.moment(self._lab)}

    def _note(self, sentences: list[str]) -> list[str]:
        self._data["notes"] += sentences
        write_json(self._path, self._data)
        return sentences
