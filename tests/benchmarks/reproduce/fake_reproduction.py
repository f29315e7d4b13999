"""A reproduction that nobody measured: a recipe's plan, with values that a test makes up."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoscope.benchmarks.harness.plan import Cell
from isoscope.benchmarks.harness.terms import Subject, Terms
from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.benchmarks.metrics import metric as known_metric
from isoscope.benchmarks.published import figures
from isoscope.benchmarks.reproduce import Here, Match, Plan
from isoscope.benchmarks.reproduce.carry_out import TWIN
from isoscope.benchmarks.reproduce.request import Asked
from isoscope.benchmarks.request import Request
from isoscope.benchmarks.results import trials
from isoscope.benchmarks.results.files import write_json
from isoscope.core.workload import Workload

HERE = Here(
    cpus=2, sockets=1, memory=24 << 30, available=20 << 30, cache=32 << 20, disk_free=80 << 30, kvm=False, root=True
)

#: Our value of a match on a system, before noise; None for a trial that failed.
Made = Callable[[Match, str], float | None]


def as_published(recipe: str) -> Made:
    """The study's own figures, in our units: what a perfect reproduction would find."""
    known = {one.key: one.value for one in figures(*recipe.split("/"))}

    def value(match: Match, system: str) -> float | None:
        found = known.get((match.workload, match.metric, system))
        return None if found is None else found / match.factor

    return value


def make(
    directory: Path,
    recipe: str,
    plan: Plan,
    value: Made,
    *,
    blocks: int = 10,
    noise: float = 0.005,
    twin: float = 1.0,
    accelerator: str = "kvm",
    unavailable: Mapping[str, str] | None = None,
    change: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Path:
    """Write a run into a folder, as the harness would. `twin` multiplies what the baseline's second series finds."""
    directory.mkdir(parents=True)
    missing = unavailable or {}
    baseline = plan.system(plan.baseline).variant
    names = [name for name in dict.fromkeys(one.variant for one in plan.systems) if name not in missing]
    terms = Terms(
        subjects=tuple(_subject(name, plan) for name in dict.fromkeys(match.benchmark for match in plan.matches)),
        variants=(*names, TWIN.format(baseline)),
        baseline=baseline,
        blocks=blocks,
        seed=7,
        created_at="2026-01-02T03:04:05Z",
        versions={"isoscope": "0.1.0", "python": "3.11.2", "kernel": "6.18.0", "qemu": "7.2.0", "libvirt": "9.0.0"},
        host={"cpu": "A Fast CPU @ 2.50GHz", "logical_cpus": 2, "kernel": "6.18.0"},
        twins={TWIN.format(baseline): baseline},
        reproduction=Asked(recipe, plan, False, missing).as_dict(),
    )
    write_json(directory / "manifest.json", terms.as_dict())
    environment: dict[str, Any] = {"notes": [], "before": {}, "after": {}, "host": {}, "ended": None}
    change(environment)
    write_json(directory / "environment.json", environment)
    made = _Rows(terms, plan, value, noise, twin, accelerator)
    with (directory / trials.FILE).open("w") as file:
        for cell in terms.cells():
            for row in made.of(cell):
                file.write(json.dumps(row) + "\n")
    return directory


def _subject(benchmark: str, plan: Plan) -> Subject:
    matches = [match for match in plan.matches if match.benchmark == benchmark]
    return Subject(
        benchmark=benchmark,
        workload=Workload(name=benchmark),
        image="sha256:" + "ab" * 32,
        headline=tuple(_metric(name) for name in dict.fromkeys(match.ours for match in matches)),
        details=(),
        dimensions=tuple(dict.fromkeys(label for match in matches for label in match.labels)),
        options=next((r.options for r in Request.parse_list(plan.benchmarks) if r.benchmark == benchmark), {}),
        harness=None,
    )


def _metric(name: str) -> Metric:
    try:
        return known_metric(name)
    except KeyError:
        return Metric(name, "1/s", Direction.HIGHER, "Made up.")


@dataclass
class _Rows:
    terms: Terms
    plan: Plan
    value: Made
    noise: float
    twin: float
    accelerator: str

    def __post_init__(self) -> None:
        self.random = random.Random(self.terms.seed)
        self.order = 0

    def of(self, cell: Cell) -> Iterator[dict[str, Any]]:
        variant = self.terms.twins.get(cell.variant, cell.variant)
        systems = [one.name for one in self.plan.systems if one.variant == variant]
        proof = {"accelerator": self.accelerator} if variant.startswith(("vm", "qemu-boot")) else {}
        common = {
            "schema": 1,
            "benchmark": cell.benchmark,
            "variant": cell.variant,
            "backend": variant.partition(":")[0],
            "workload": cell.benchmark,
            "image": "sha256:" + "ab" * 32,
            "block": cell.block,
            "trial": cell.trial,
            "order": self.order,
            "warmup": cell.warmup,
            "started_at": "2026-01-02T03:04:05Z",
        }
        self.order += 1
        for match in self.plan.matches:
            for system in systems[:1] if match.benchmark == cell.benchmark else ():
                found = self.value(match, system)
                scale = (self.twin if cell.variant in self.terms.twins else 1.0) * math.exp(
                    self.random.gauss(0, self.noise)
                )
                yield {
                    **common,
                    "metric": match.ours,
                    "value": None if found is None else found * scale,
                    "unit": _metric(match.ours).unit,
                    "status": "failed" if found is None else "ok",
                    "reason": "it broke" if found is None else None,
                    "labels": {**match.labels, **proof},
                }
        yield {
            **common,
            "metric": END_OF_TRIAL.name,
            "value": 1e6,
            "unit": "ns",
            "status": "ok",
            "reason": None,
            "labels": {},
        }
