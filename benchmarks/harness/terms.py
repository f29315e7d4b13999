"""The terms of a comparison: what was asked, in full. They are the run's manifest, and all that `--resume` needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from isoscope.benchmarks.harness.plan import WARMUP_BLOCKS, Cell, plan
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.request import Request
from isoscope.core.errors import InputError
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload

#: Of manifest.json and of a line of trials.jsonl; docs/reference/run-format.md has its history.
SCHEMA = 1


@dataclass(frozen=True)
class Subject:
    """One benchmark as it is carried out."""

    benchmark: str
    workload: Workload
    image: str  #: digest
    headline: tuple[Metric, ...]
    details: tuple[Metric, ...]
    dimensions: tuple[str, ...]
    options: Mapping[str, str]  #: the benchmark's own, each with its value
    harness: str | None  #: the hidden variant that measures the harness itself

    @property
    def name(self) -> str:
        """The workload's name, or the beginning of its command when it has none."""
        return self.workload.name or " ".join(self.workload.command)[:80]

    @property
    def request(self) -> str:
        """The benchmark with all its options, as it can be asked for again."""
        return str(Request(self.benchmark, self.options))

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        metrics = {"headline": self.headline, "details": self.details}
        return {
            "benchmark": self.benchmark,
            "workload": self.workload.as_dict(),
            "image": self.image,
            **{key: [metric.as_dict() for metric in metrics[key]] for key in metrics},
            "dimensions": list(self.dimensions),
            "options": dict(self.options),
            "harness": self.harness,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return cls(
            benchmark=data["benchmark"],
            workload=Workload.from_dict(data["workload"]),
            image=data["image"],
            headline=tuple(map(Metric.from_dict, data["headline"])),
            details=tuple(map(Metric.from_dict, data["details"])),
            dimensions=tuple(data["dimensions"]),
            options=data.get("options", {}),
            harness=data["harness"],
        )


@dataclass(frozen=True)
class NotRun:
    """A backend that nobody named and that cannot run here."""

    backend: str
    reason: str
    hint: str


@dataclass(frozen=True)
class Terms:
    """What a comparison measures, and how."""

    subjects: tuple[Subject, ...]
    variants: tuple[str, ...]
    baseline: str  #: ratios are to this variant
    blocks: int  #: at most
    seed: int
    created_at: str  #: RFC 3339
    versions: Mapping[str, str]
    host: Mapping[str, Any]  #: what must not change between the parts of a resumed run
    not_run: tuple[NotRun, ...] = ()
    precision: float | None = None  #: relative half-width of every headline interval that is enough
    budget: float | None = None  #: seconds that measuring may take, each time it is begun or gone on with
    #: Variants that stand twice: a second label, and the variant that it is. Selftests have some, and reproductions.
    twins: Mapping[str, str] = field(default_factory=dict)
    #: The recipe of the study that the run repeats, as `isoscope.benchmarks.reproduce` keeps it; empty for none.
    reproduction: Mapping[str, Any] = field(default_factory=dict)

    def subject(self, benchmark: str) -> Subject:
        """The terms of one benchmark."""
        return next(subject for subject in self.subjects if subject.benchmark == benchmark)

    def cells(self) -> list[Cell]:
        """Every trial in order."""
        variants = {
            subject.benchmark: [*self.variants, *([subject.harness] if subject.harness else [])]
            for subject in self.subjects
        }
        return plan(variants, seed=self.seed, blocks=self.blocks)

    def as_dict(self) -> dict[str, Any]:
        """The manifest."""
        return {
            "schema": SCHEMA,
            "created_at": self.created_at,
            "benchmarks": [subject.as_dict() for subject in self.subjects],
            "variants": list(self.variants),
            "baseline": self.baseline,
            "blocks": self.blocks,
            "warmup_blocks": WARMUP_BLOCKS,
            "precision": self.precision,
            "budget": self.budget,
            "seed": self.seed,
            "not_run": [asdict(one) for one in self.not_run],
            "twins": dict(self.twins),
            **({"reproduction": dict(self.reproduction)} if self.reproduction else {}),
            "versions": dict(self.versions),
            "host": dict(self.host),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`. Raises InputError for a manifest of another schema or without a field."""
        if (schema := data.get("schema")) != SCHEMA:
            raise InputError(
                f"the run has schema {schema!r}, and this isoscope reads {SCHEMA}",
                hint="use the version of isoscope that made it",
            )
        try:
            return cls(
                subjects=tuple(map(Subject.from_dict, data["benchmarks"])),
                variants=tuple(data["variants"]),
                baseline=data["baseline"],
                blocks=data["blocks"],
                seed=data["seed"],
                created_at=data["created_at"],
                versions=data["versions"],
                host=data["host"],
                not_run=tuple(NotRun(**one) for one in data["not_run"]),
                precision=data.get("precision"),
                budget=data.get("budget"),
                twins=data.get("twins", {}),
                reproduction=data.get("reproduction", {}),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"the run's manifest is malformed: {error!r}", hint="restore manifest.json") from error

    @property
    def parsed_variants(self) -> tuple[Variant, ...]:
        """The variants, parsed."""
        return tuple(map(self.variant, self.variants))

    def variant(self, label: str) -> Variant:
        """The variant of that label: the label itself, but for a twin's."""
        return Variant.parse(self.twins.get(label, label))
