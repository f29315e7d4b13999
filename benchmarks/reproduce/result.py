"""What a reproduction found: `reproduction.json`, from which its page, its plots and the docs are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from isoscope.benchmarks.published import Basis
from isoscope.benchmarks.reproduce.recipe import Setting
from isoscope.benchmarks.reproduce.rule import Band, Verdict
from isoscope.benchmarks.results.statistics import Interval
from isoscope.core.errors import InputError

FILE = "reproduction.json"

#: Of reproduction.json; docs/reference/run-format.md has its history.
SCHEMA = 1


@dataclass(frozen=True)
class Measured:
    """A value and its interval, in the study's unit or as a ratio."""

    value: float
    interval: Interval
    blocks: int


@dataclass(frozen=True)
class Row:
    """One published figure, ours beside it, and what that says."""

    workload: str
    short: str  #: the workload in a few words
    metric: str
    unit: str
    better: str
    system: str
    variant: str  #: ours; empty where nothing stands for the system
    accelerator: str  #: `kvm`, `tcg`, or nothing
    baseline: str  #: what the ratios are to, in the study's words; empty for a baseline
    published: float | None  #: None for a system that the study did not have
    spread: str
    basis: Basis | None
    where: str
    published_ratio: float | None
    ours: Measured | None
    ratio: Measured | None
    band: Band | None  #: where our ratio has the shape of theirs
    verdict: Verdict | None  #: None for a baseline
    reason: str
    able: bool  #: it could be compared here: it counts in the item's verdict
    x: float | None


@dataclass(frozen=True)
class Twin:
    """A baseline against itself: the noise of this very run."""

    workload: str
    metric: str
    ratio: Measured


@dataclass(frozen=True)
class Stand:
    """A system of the study, and what stood for it."""

    name: str
    variant: str
    note: str
    unavailable: str  #: why it was not measured; empty when it was


@dataclass(frozen=True)
class Reproduction:
    """One item of a study, repeated here."""

    recipe: str  #: STUDY/ITEM
    citation: str
    link: str
    study_host: str
    verdict: Verdict
    sentence: str  #: the verdict and what it rests on
    clock: str
    settings: tuple[Setting, ...]
    systems: tuple[Stand, ...]
    rows: tuple[Row, ...]
    noise: tuple[Twin, ...]
    cautions: tuple[str, ...]
    quick: bool
    blocks: int  #: made
    complete: bool
    created_at: str
    host: str  #: this one, in a line
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""  #: that repeats it
    compare: str = ""  #: the same measuring without the study

    def _repr_html_(self) -> str:
        from isoscope.benchmarks.display.bundle import told_html
        from isoscope.benchmarks.reproduce.offer import offered
        from isoscope.benchmarks.reproduce.words import told

        return told_html(told(self), offered(self.recipe).figures(self))

    def as_dict(self) -> dict[str, Any]:
        """The contents of `reproduction.json`."""
        return {"schema": SCHEMA, **_finite(asdict(self))}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`. Raises InputError for another schema or a missing field."""
        if (schema := data.get("schema")) != SCHEMA:
            raise InputError(
                f"the reproduction has schema {schema!r}, and this isoscope reads {SCHEMA}",
                hint="write it again: isoscope report DIR --format reproduction",
            )
        fields = {name: value for name, value in data.items() if name != "schema"}
        try:
            return cls(
                **{
                    **fields,
                    "verdict": Verdict(fields["verdict"]),
                    "settings": tuple(Setting(**one) for one in fields["settings"]),
                    "systems": tuple(Stand(**one) for one in fields["systems"]),
                    "rows": tuple(map(_row, fields["rows"])),
                    "noise": tuple(
                        Twin(one["workload"], one["metric"], _measured(one["ratio"])) for one in fields["noise"]
                    ),
                    "cautions": tuple(fields["cautions"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the reproduction is malformed: {error!r}", hint="write it again from its run") from error


def _row(data: Mapping[str, Any]) -> Row:
    band, basis, verdict = data["band"], data["basis"], data["verdict"]
    return Row(
        **{
            **data,
            "basis": None if basis is None else Basis(basis),
            "ours": None if data["ours"] is None else _measured(data["ours"]),
            "ratio": None if data["ratio"] is None else _measured(data["ratio"]),
            "band": None if band is None else Band(band["low"], float("inf") if band["high"] is None else band["high"]),
            "verdict": None if verdict is None else Verdict(verdict),
        }
    )


def _measured(data: Mapping[str, Any]) -> Measured:
    return Measured(data["value"], Interval(**data["interval"]), data["blocks"])


def _finite(data: Any) -> Any:
    """The same data with null for a band without an upper edge: JSON knows no infinity."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if data == float("inf") else data
