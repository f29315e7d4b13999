"""Reproductions that nobody measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks.reproduce import Plan
from isoscope.benchmarks.reproduce.judge import judge
from isoscope.benchmarks.reproduce.recipes import offered
from isoscope.benchmarks.reproduce.result import Reproduction
from isoscope.benchmarks.results.run import Run

from .fake_reproduction import HERE, as_published, make

Judged = Callable[..., Reproduction]


def plan_of(recipe: str) -> Plan:
    """The recipe's plan, with three workloads of it, so that judging it is quick."""
    plan = offered()[recipe]().plan(HERE, quick=False)
    return replace(plan, matches=plan.matches[2:5] or plan.matches)


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """Judge a made-up run of a recipe: by default one that found what the study did."""
    number = count()

    def run(recipe: str = "felter2014/fio", value: Any = None, plan: Plan | None = None, **more: Any) -> Reproduction:
        directory = make(
            tmp_path / f"run{next(number)}", recipe, plan or plan_of(recipe), value or as_published(recipe), **more
        )
        return judge(Run.load(directory))

    return run
