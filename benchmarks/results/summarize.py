"""From trials to statistics: a line for each series, the ratio to the baseline, and everything that failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from isoscope.benchmarks.harness.terms import Subject, Terms
from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.benchmarks.metrics import metric as known_metric
from isoscope.benchmarks.results import drift, noise, precision, statistics
from isoscope.benchmarks.results.statistics import Floats, Interval
from isoscope.benchmarks.results.summary import Failure, Precision, Ratio, Series, Summary

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

_NO_INTERVAL = Interval(None, None, "there is no value")

_Key = tuple[Any, ...]  # variant, accelerator, and a value for each dimension


def summarize(run: Run) -> Summary:
    """The statistics of a run."""
    terms = run.terms
    frame = run.trials
    measured = frame[~frame["warmup"]]
    parts = [_Summarizer(terms, subject, measured) for subject in terms.subjects]
    series = drift.adjusted([one for part in parts for one in part.series()])
    reached = None if terms.precision is None else precision.judge(series, terms.precision)
    floor = noise.known(run.environment, terms)
    return Summary(
        terms=terms,
        series=tuple(series),
        baselines={subject.benchmark: part.baseline for subject, part in zip(terms.subjects, parts, strict=True)},
        failures=tuple(_failures(frame)),
        proofs=_proofs(terms, frame),
        blocks_made=_blocks_made(terms, measured),
        complete=run.complete,
        ended=run.ended,
        precision=reached,
        noise_floor=tuple(floor),
        remarks=tuple(_remarks(run, series, reached, floor)),
    )


def headlines(run: Run) -> list[Series]:
    """The series of the headline metrics alone: what a precision is judged by, while the run is still measured."""
    frame = run.trials
    measured = frame[~frame["warmup"]]
    return [
        one
        for subject in run.terms.subjects
        for one in _Summarizer(run.terms, replace(subject, details=()), measured, headlines=True).series()
    ]


def _remarks(run: Run, series: list[Series], found: Precision | None, floor: list[dict[str, Any]]) -> Iterator[str]:
    """What a reader of any figure must know."""
    if run.ended is not None:
        yield f"The run {run.ended['sentence']}."
    elif found is not None and not found.reached:
        width = "no interval" if found.widest is None else f"an interval of ± {found.widest:.2%}"
        yield f"The precision asked for, ± {found.wanted:.2%}, was not reached: {found.series} has {width}."
    yield from drift.sentences(series)
    yield from noise.sentences(floor, run)


class _Summarizer:
    """The series of one benchmark."""

    def __init__(self, terms: Terms, subject: Subject, measured: pd.DataFrame, *, headlines: bool = False) -> None:
        self._terms = terms
        self._subject = subject
        self._frame = measured[measured["benchmark"] == subject.benchmark]
        if headlines:
            names = [metric.name for metric in subject.headline]
            self._frame = self._frame[self._frame["metric"].isin(names)]
        bad = self._frame[self._frame["status"] == "failed"]
        self._failed = {
            str(variant): int(count) for variant, count in bad.groupby("variant")["trial"].nunique().items()
        }
        self._hidden = subject.harness if subject.harness not in terms.variants else None
        made = set(self._frame.loc[self._frame["status"] == "ok", "variant"])
        self._order = tuple(dict.fromkeys([terms.baseline, *terms.variants]))
        self.baseline = next((variant for variant in self._order if variant in made), terms.baseline)

    def series(self) -> Iterator[Series]:
        by_metric = {str(name): rows for name, rows in self._frame.groupby("metric", sort=False)}
        for metric in self._metrics(list(by_metric)):
            rows = by_metric.get(metric.name, self._frame.iloc[:0])
            groups = self._groups(rows)
            baselines = {key: self._baseline(metric, key, groups) for key in groups}
            found = [self._one(metric, key, group, baselines[key]) for key, group in groups.items()]
            yield from (one for one in found if one.variant != self._hidden)
            yield from self._empty(metric, rows, {key[0] for key in groups})
            yield from (one for one in found if one.variant == self._hidden)

    def _metrics(self, found: list[str]) -> list[Metric]:
        """The metrics in the order of the manifest, then those that it does not know: phases of strangers."""
        known = {m.name: m for m in (*self._subject.headline, *self._subject.details, END_OF_TRIAL)}
        known |= {name: self._unlisted(name) for name in found if name not in known}
        shown = {*found, *(m.name for m in self._subject.headline)}
        return [m for m in known.values() if m.name in shown]

    def _unlisted(self, name: str) -> Metric:
        try:
            return known_metric(name)
        except KeyError:
            unit = self._frame.loc[self._frame["metric"] == name, "unit"].iloc[0]
            return Metric(name, unit, Direction.LOWER, "The benchmark does not declare it.")

    def _groups(self, rows: pd.DataFrame) -> dict[_Key, pd.DataFrame]:
        """The rows with a value, by variant, accelerator and dimensions: the baseline's first."""
        rows = rows[rows["status"] == "ok"]
        dimensions = [[labels.get(name) for labels in rows["labels"]] for name in self._subject.dimensions]
        keys = [
            rows["variant"],
            rows["accelerator"],
            *(pd.Series(d, index=rows.index, dtype=object) for d in dimensions),
        ]
        found: dict[Any, pd.DataFrame] = {
            _plain_key(key): group for key, group in rows.groupby(keys, sort=False, dropna=False)
        }
        place = {name: place for place, name in enumerate(self._order)}
        return dict(sorted(found.items(), key=lambda item: place.get(item[0][0], len(place))))

    def _baseline(self, metric: Metric, key: _Key, groups: dict[_Key, pd.DataFrame]) -> pd.DataFrame | None:
        """What a series is compared with: the baseline under the same labels, on the same accelerator if it has one.

        Not phases: no backend has another's.
        """
        if key[0] in (self.baseline, self._hidden) or metric.name.startswith("phase."):
            return None
        alike = {k[1]: rows for k, rows in groups.items() if k[0] == self.baseline and k[2:] == key[2:]}
        return alike.get(key[1], next(iter(alike.values()), None))

    def _one(self, metric: Metric, key: _Key, rows: pd.DataFrame, baseline: pd.DataFrame | None) -> Series:
        values = rows["value"].to_numpy(dtype=np.float64)
        p50, p90, p99 = statistics.percentiles(values)
        blocks = _by_block(rows)
        by_block: Floats = np.asarray(blocks, dtype=np.float64)
        rng = self._rng(metric, key)
        return Series(
            **self._about(metric, key),
            blocks=len(blocks),
            values=len(values),
            p50=p50,
            p90=p90,
            p99=p99,
            mean=float(values.mean()),
            least=float(values.min()),
            greatest=float(values.max()),
            median_interval=statistics.median_interval(by_block, rng),
            outliers=tuple(rows["trial"].to_numpy()[statistics.outliers(values)].tolist()),
            ratio=self._ratio(metric, blocks, _by_block(baseline), rng) if baseline is not None else None,
            reason=None,
            drift=drift.drift(by_block) if self._role(metric, key[0]) == "headline" else None,
        )

    def _ratio(
        self, metric: Metric, blocks: pd.Series[float], baseline: pd.Series[float], rng: np.random.Generator
    ) -> Ratio:
        pairs = pd.concat([blocks, baseline], axis=1, join="inner")
        ours: Floats = pairs.iloc[:, 0].to_numpy()
        theirs: Floats = pairs.iloc[:, 1].to_numpy()
        value, interval, moved = None, Interval(None, None, "no block has a value of both"), None
        if len(pairs):
            interval = statistics.ratio_interval(ours, theirs, rng)
            value = float(np.median(ours) / np.median(theirs)) if np.median(theirs) else None
            if metric in self._subject.headline and np.all(theirs):
                moved = drift.drift(ours / theirs)
        return Ratio(self.baseline, len(pairs), value, interval, statistics.difference(ours, theirs, rng), moved)

    def _empty(self, metric: Metric, rows: pd.DataFrame, found: set[str]) -> Iterator[Series]:
        """A series without values for each variant that has none, so that none is missing in silence."""
        if metric not in self._subject.headline:
            return
        for variant in self._terms.variants:
            if variant in found:
                continue
            reasons = rows.loc[rows["variant"] == variant, "reason"].dropna()
            yield Series(
                **self._about(metric, (variant, "")),
                blocks=0,
                values=0,
                p50=None,
                p90=None,
                p99=None,
                mean=None,
                least=None,
                greatest=None,
                median_interval=_NO_INTERVAL,
                outliers=(),
                ratio=None,
                reason=str(reasons.iloc[0]) if len(reasons) else "no trial of it has been made",
            )

    def _about(self, metric: Metric, key: _Key) -> dict[str, Any]:
        return {
            "benchmark": self._subject.benchmark,
            "metric": metric,
            "role": self._role(metric, key[0]),
            "variant": key[0],
            "accelerator": key[1],
            "labels": {
                name: value for name, value in zip(self._subject.dimensions, key[2:], strict=False) if value is not None
            },
            "failed": self._failed.get(key[0], 0),
        }

    def _role(self, metric: Metric, variant: str) -> str:
        if variant == self._hidden or metric == END_OF_TRIAL:
            return "harness"
        return "headline" if metric in self._subject.headline else "detail"

    def _rng(self, metric: Metric, key: _Key) -> np.random.Generator:
        """The same figures from the same trials, whichever other series there are."""
        name = "/".join(map(str, (self._subject.benchmark, metric.name, *key)))
        digest = sha256(name.encode()).digest()[:8]
        return np.random.default_rng([self._terms.seed, int.from_bytes(digest, "big")])


def _plain_key(key: Any) -> _Key:
    """A group's key with None where a value lacks the label: pandas makes it NaN, which does not equal itself."""
    return tuple(None if part != part else part for part in key)  # noqa: PLR0124


def _by_block(rows: pd.DataFrame) -> pd.Series[float]:
    """A value for each block: that of its only trial, or the median of several."""
    return rows.groupby("block")["value"].median()


def _blocks_made(terms: Terms, measured: pd.DataFrame) -> int:
    ends = measured[measured["metric"] == END_OF_TRIAL.name]
    made = ends.groupby("block").size()
    of_each = sum(1 for cell in replace(terms, blocks=1).cells() if not cell.warmup)
    return int((made == of_each).sum()) if len(made) else 0


def _failures(frame: pd.DataFrame) -> Iterator[Failure]:
    bad = frame[frame["status"] != "ok"].drop_duplicates(["trial", "status", "reason"])
    keys = ["benchmark", "variant", "status", "reason"]
    for (benchmark, variant, status, reason), rows in bad.groupby(keys, sort=False, dropna=False):
        warmups = int(rows["warmup"].sum())
        yield Failure(str(benchmark), str(variant), str(status), str(reason), len(rows) - warmups, warmups)


def _proofs(terms: Terms, frame: pd.DataFrame) -> dict[str, dict[str, list[Any]]]:
    """What each variant's instances proved to be, from one row of each trial."""
    dimensions = {name for subject in terms.subjects for name in subject.dimensions}
    #: Values with their types, since True equals 1; a proof may have a value of its own in each of many trials.
    found: dict[str, dict[str, dict[tuple[type, Any], Any]]] = {variant: {} for variant in terms.variants}
    rows = frame[frame["status"] == "ok"].drop_duplicates("trial")
    for variant, labels in zip(rows["variant"], rows["labels"], strict=True):
        for key, value in labels.items() if variant in found else ():
            if key not in dimensions:
                found[variant].setdefault(key, {})[type(value), value] = value
    return {variant: {key: list(values.values()) for key, values in of.items()} for variant, of in found.items()}
