"""One trial of the benchmark at a time, without a comparison around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest
from isoscope.benchmarks.benchmark import Trial, Value
from isoscope.benchmarks.disk.benchmark import Disk
from isoscope.benchmarks.request import Request
from isoscope.core import Lab
from isoscope.core.variant import Variant


@dataclass
class Bench:
    """Makes trials of `disk` on a lab and keeps what they kept."""

    lab: Lab
    kept: dict[str, bytes] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    def trial(self, variant: str, *, on_step: Callable[[str], None] = lambda _: None, **terms: Any) -> Trial:
        """A measured trial with the options of `--quick`, on a small file, but for those in `terms`."""
        options = {name: terms.pop(name) for name in ("size", "runtime", "ramp", "phases") if name in terms}
        told = {"size": "16M", "runtime": "0.2", "ramp": "0.1", "phases": "rand-read", **options}
        values = Request("disk", told).resolve(Disk.options, quick=True)

        def step(text: str) -> None:
            self.steps.append(text)
            on_step(text)

        fields: dict[str, Any] = {
            "lab": self.lab,
            "variant": Variant.parse(variant),
            "workload": self.lab.workload("fio"),
            "block": 1,
            "warmup": False,
            "timeout": 60.0,
            "options": {option.name: option.read(values[option.name]) for option in Disk.options},
            "shield": nullcontext,
            "step": step,
            "keep": self.kept.__setitem__,
        }
        return Trial(**{**fields, **terms})

    def measure(self, variant: str, **terms: Any) -> list[Value]:
        """What a trial finds."""
        return list(Disk().measure(self.trial(variant, **terms)))


@pytest.fixture
def make_bench() -> type[Bench]:
    return Bench


@pytest.fixture
def bench(lab: Lab) -> Bench:
    return Bench(lab)
