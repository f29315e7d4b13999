"""What a run found: the statistics of every series, and everything that failed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.results.statistics import Interval

if TYPE_CHECKING:
    import pandas as pd

#: Of summary.json; docs/reference/run-format.md has its history.
SCHEMA = 1


@dataclass(frozen=True)
class Drift:
    """The trend of block values with time: Mann-Kendall, with the block as unit."""

    tau: float  #: Kendall's rank correlation with the order of the blocks, -1 to 1
    p_value: float  #: two-sided, of no trend
    adjusted: float  #: the same, for as many series as were looked at (Benjamini-Hochberg)
    first: float  #: median of the first third of the blocks
    last: float  #: median of the last third
    #: Rank correlation of one block with the next. Beyond 2 / sqrt(blocks) blocks are not independent, and intervals
    #: are too narrow.
    autocorrelation: float


@dataclass(frozen=True)
class Precision:
    """The widest headline interval against the precision that was wanted."""

    wanted: float  #: relative half-width
    reached: bool
    widest: float | None  #: None while a series has no interval
    series: str  #: which one is the widest, or has none


@dataclass(frozen=True)
class Ratio:
    """A series' median over the baseline's, in the blocks in which both have a value."""

    to: str  #: the baseline
    blocks: int
    value: float | None
    interval: Interval
    p_value: float | None  #: of the difference, by permutation within blocks
    drift: Drift | None = None  #: of the ratios within blocks


@dataclass(frozen=True)
class Series:
    """Values of one metric that may stand together: one variant, one accelerator, one value of each dimension."""

    benchmark: str
    metric: Metric
    role: str  #: `headline`, `detail`, or `harness` for what the harness itself costs
    variant: str
    accelerator: str  #: "" where the backend has none
    labels: dict[str, Any]  #: the benchmark's dimensions
    blocks: int  #: blocks with a value
    values: int
    failed: int  #: measured trials of this variant that failed
    p50: float | None
    p90: float | None
    p99: float | None
    mean: float | None
    least: float | None
    greatest: float | None
    median_interval: Interval
    outliers: tuple[int, ...]  #: trials whose value lies far out; they count like all others
    ratio: Ratio | None  #: None for the baseline itself, for phases, and for what the harness costs
    reason: str | None  #: why there is no value
    drift: Drift | None = None  #: of headline metrics

    @property
    def name(self) -> str:
        """Variant, accelerator and dimensions, as tables and plots show them."""
        accelerator = f" ({self.accelerator})" if self.accelerator else ""
        return self.variant + accelerator + "".join(f" {key}={value}" for key, value in self.labels.items())


@dataclass(frozen=True)
class Failure:
    """Trials of one variant that ended without a value for the same reason."""

    benchmark: str
    variant: str
    status: str  #: `failed` or `unavailable`
    reason: str
    measured: int  #: how many trials, not counting warm-ups
    warmups: int


@dataclass(frozen=True)
class Summary:
    """What a run found."""

    terms: Terms
    series: tuple[Series, ...]
    failures: tuple[Failure, ...]
    baselines: dict[str, str]  #: by benchmark: the run's, or the first variant with values where that has none
    #: Variant to what its instances showed themselves to be: each label with the values that it had.
    proofs: dict[str, dict[str, list[Any]]]
    blocks_made: int  #: measured blocks in which every planned trial was made
    complete: bool
    ended: dict[str, str] | None = None  #: `why` and `sentence`, when fewer blocks were enough
    precision: Precision | None = None  #: when one was asked for
    noise_floor: tuple[dict[str, Any], ...] = ()  #: of the host's selftests, those of the metrics that were measured
    remarks: tuple[str, ...] = ()  #: sentences that a reader of any figure must know

    def of(self, benchmark: str, metric: str | None = None, role: str | None = None) -> list[Series]:
        """The series of a benchmark, of one metric and one role if told."""
        return [
            one
            for one in self.series
            if one.benchmark == benchmark and metric in (None, one.metric.name) and role in (None, one.role)
        ]

    def as_dict(self) -> dict[str, Any]:
        """The contents of `summary.json`."""
        return {
            "schema": SCHEMA,
            "complete": self.complete,
            "blocks": self.terms.blocks,
            "blocks_made": self.blocks_made,
            "ended": self.ended,
            "precision": None if self.precision is None else asdict(self.precision),
            "seed": self.terms.seed,
            "baselines": self.baselines,
            "variants": list(self.terms.variants),
            "not_run": [asdict(one) for one in self.terms.not_run],
            "series": [_plain(one) for one in self.series],
            "failures": [asdict(one) for one in self.failures],
            "proofs": self.proofs,
            "noise_floor": list(self.noise_floor),
            "remarks": list(self.remarks),
        }

    def frame(self) -> pd.DataFrame:
        """The series, one a row, the interval and the ratio in columns of their own."""
        import pandas as pd

        return pd.DataFrame([_flat(one) for one in self.series])


def _plain(series: Series) -> dict[str, Any]:
    data = asdict(series)
    data["metric"], data["unit"], data["direction"] = series.metric.name, series.metric.unit, series.metric.direction
    data["outliers"] = list(series.outliers)
    return data


def _flat(series: Series) -> dict[str, Any]:
    data = _plain(series)
    interval, ratio = data.pop("median_interval"), data.pop("ratio") or {}
    labels = data.pop("labels")
    ratio_interval = ratio.get("interval") or {}
    return {
        **data,
        **labels,
        "low": interval["low"],
        "high": interval["high"],
        "ratio": ratio.get("value"),
        "ratio_low": ratio_interval.get("low"),
        "ratio_high": ratio_interval.get("high"),
        "p_value": ratio.get("p_value"),
    }
