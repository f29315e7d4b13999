"""A run: the folder that a comparison leaves behind, as frames and facts."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.results import trials
from isoscope.benchmarks.results.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.summary import Summary

MANIFEST = "manifest.json"
ENVIRONMENT = "environment.json"

_last: dict[str, Any] = {}


def _state(directory: Path) -> list[Any]:
    """What changes whenever a file from which a run is read does."""
    found: list[Any] = [directory.absolute()]
    for name in (MANIFEST, ENVIRONMENT, trials.FILE):
        try:
            status = (directory / name).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found


class Run:
    """Read lazily, and once: make a new one to see what a harness has added meanwhile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @classmethod
    def load(cls, directory: Path | str) -> Run:
        """The run in a folder. Raises InputError when there is none, or its manifest cannot be read.

        The last run that was loaded is remembered until one of its files changes: summary and report are two readers.
        """
        key = _state(Path(directory))
        if _last.get("key") != key:
            run = cls(Path(directory))
            _ = run.terms
            _last.update(key=key, run=run)
        found: Run = _last["run"]
        return found

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What was asked, as stored."""
        return read_json(self.directory / MANIFEST)

    @cached_property
    def terms(self) -> Terms:
        """What was asked."""
        return Terms.from_dict(self.manifest)

    @cached_property
    def environment(self) -> dict[str, Any]:
        """The host before and after; empty when the run never came to write it."""
        path = self.directory / ENVIRONMENT
        return read_json(path) if path.exists() else {}

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Every value, warm-ups and failures too, one a row: the fields of `trials.jsonl`, and `accelerator`.

        `value` is NaN where there is none; `labels` holds objects; `accelerator` is that label, or "".
        """
        import pandas as pd

        columns: dict[str, list[Any]] = {field: [] for field in trials.FIELDS}
        same: dict[Any, Any] = {}  # most fields repeat: one object for each distinct text and each set of labels
        for line in trials.lines(self.directory / trials.FILE):
            labels = line.row["labels"]
            line.row["labels"] = same.setdefault(tuple(labels.items()), labels)
            for field, column in columns.items():
                value = line.row[field]
                column.append(same.setdefault(value, value) if isinstance(value, str) else value)
        frame = pd.DataFrame(columns)
        frame["value"] = pd.to_numeric(frame["value"]).astype("float64")
        frame["accelerator"] = [str(labels.get("accelerator", "")) for labels in frame["labels"]]
        frame["warmup"] = frame["warmup"].astype(bool)
        return frame

    @cached_property
    def results(self) -> Summary:
        """The statistics of every series, and what failed."""
        from isoscope.benchmarks.results.summarize import summarize

        return summarize(self)

    @property
    def summary(self) -> pd.DataFrame:
        """The statistics of every series, one a row."""
        return self.results.frame()

    @property
    def ended(self) -> dict[str, str] | None:
        """Why the run ended before its last block, `why` and `sentence`; None when it did not, or was stopped."""
        found: dict[str, str] | None = self.environment.get("ended")
        return found

    @cached_property
    def complete(self) -> bool:
        """Whether every trial that was planned has been made, or as many as were enough."""
        if self.ended is not None:
            return True
        made = self.trials.loc[self.trials["metric"] == "harness.trial", "trial"]
        return {cell.trial for cell in self.terms.cells()} <= set(made)

    @property
    def failed(self) -> bool:
        """Whether any trial failed."""
        return bool((self.trials["status"] == "failed").any())

    @property
    def lacking(self) -> list[str]:
        """The variants that this host could not run, or could no longer run: of some or all trials.

        Not those whose backend lacks what one benchmark needs: that holds on every host, and others measured them.
        """
        ends = self.trials[self.trials["metric"] == "harness.trial"]
        found = []
        for variant in self.terms.variants:
            tried = [set(rows["status"]) for _, rows in ends[ends["variant"] == variant].groupby("benchmark")]
            never = bool(tried) and all(statuses == {"unavailable"} for statuses in tried)
            if never or any(statuses >= {"ok", "unavailable"} for statuses in tried):
                found.append(variant)
        return found

    def write(self) -> None:
        """Write `summary.json` and `trials.parquet` from the trials. Raises HostError."""
        import pyarrow as pa  # type: ignore[import-untyped]
        import pyarrow.parquet as pq  # type: ignore[import-untyped]

        write_json(self.directory / "summary.json", self.results.as_dict())
        frame = self.trials.drop(columns="accelerator")
        texts: dict[int, str] = {}  # by identity: rows share the objects of equal labels, see `trials`
        for labels in frame["labels"]:
            if id(labels) not in texts:
                texts[id(labels)] = json.dumps(labels, sort_keys=True)
        frame["labels"] = [texts[id(labels)] for labels in frame["labels"]]
        table = pa.Table.from_pandas(frame, preserve_index=False)
        partial = self.directory / ".trials.parquet.new"
        pq.write_table(table, partial, compression="zstd")
        partial.replace(self.directory / "trials.parquet")

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """The plots of its report by their names, those of the files in `plots/`."""
        from isoscope.benchmarks.report.section import sections

        return {figure.name: figure for section in sections(self) for figure in section.figures}

    def _repr_html_(self) -> str:
        from isoscope.benchmarks.display.bundle import run_html

        return run_html(self)

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"
