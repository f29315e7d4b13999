"""Trials of density on backends in memory, whose instances start, fail and die as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Trial, Value
from isoscope.benchmarks.density.benchmark import Density
from isoscope.benchmarks.request import Request
from isoscope.core import Lab, Variant, Workload
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.fake_process import FakeProcess


@dataclass
class Stage:
    """What there is on the fake host: `on_start` is called with the number of each workload as it starts, from 1."""

    lab: Lab
    plugin: FakePlugin
    on_start: Callable[[int], None] = lambda _: None
    started: list[FakeProcess] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)

    def stay(self, process: FakeProcess) -> None:
        """The workload: says that it is there, and stays."""
        self.started.append(process)
        self.on_start(len(self.started))
        process.write("ready\n")
        process.tick(1000)

    def measure(self, **options: str) -> Iterator[Value]:
        """Measure one trial; values come as they are found."""
        return Density().measure(trial(self.lab, "fake", Workload(command=("stay",)), self, **options))


def trial(lab: Lab, variant: str, workload: Workload, stage: Any, **options: str) -> Trial:
    """A trial of density with its options as the command line would give them, and hardly any time to settle."""
    given = {"settle": "0.01s", **{name.replace("_", "-"): value for name, value in options.items()}}
    resolved = Request("density", given).resolve(Density.options, quick=False)
    return Trial(
        lab,
        Variant.parse(variant),
        workload,
        block=1,
        warmup=False,
        timeout=30,
        options={option.name: option.read(resolved[option.name]) for option in Density.options},
        shield=nullcontext,
        step=stage.steps.append,
        keep=stage.kept.__setitem__,
    )


@pytest.fixture
def stage(home: Path) -> Iterator[Stage]:
    plugin = FakePlugin()
    with lab_with(home, plugin) as lab:
        made = Stage(lab, plugin)
        plugin.programs = {"stay": made.stay, "true": lambda _: 0}
        yield made
        assert plugin.instances == {}, "instances were not deleted"
        lab.gc()
