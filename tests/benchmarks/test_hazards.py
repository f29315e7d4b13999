"""What makes figures doubtful: said when it is so, and only then."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from isoscope.benchmarks import hazards
from isoscope.benchmarks.cpu.metrics import CLOCK, SHARE
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.results.statistics import Interval
from isoscope.benchmarks.results.summary import Series


def one(
    metric: Metric, p50: float | None, variant: str = "vm", accelerator: str = "tcg", role: str = "detail"
) -> Series:
    return Series(
        benchmark="cpu",
        metric=metric,
        role=role,
        variant=variant,
        accelerator=accelerator,
        labels={},
        blocks=3,
        values=3,
        failed=0,
        p50=p50,
        p90=p50,
        p99=p50,
        mean=p50,
        least=p50,
        greatest=p50,
        median_interval=Interval(None, None, "few"),
        outliers=(),
        ratio=None,
        reason=None,
    )


def run(*series: Series, **environment: Any) -> Any:
    of = SimpleNamespace(series=series, of=lambda name: [s for s in series if s.benchmark == name])
    return SimpleNamespace(results=of, environment=environment)


def test_a_clock_that_goes_wrong() -> None:
    slow = [one(CLOCK, 1.2), one(CLOCK, 1.2), one(CLOCK, 1.0, "process", "")]
    (sentence,) = hazards.clocks(run(*slow), CLOCK)
    assert "vm (tcg) 1.2" in sentence
    assert "process" not in sentence
    (sentence,) = hazards.clocks(run(one(CLOCK, 0.9)), CLOCK)
    assert "vm (tcg) 0.9" in sentence


def test_one_late_line_is_no_wrong_clock() -> None:
    assert hazards.clocks(run(one(CLOCK, 1.3), one(CLOCK, 1.01), one(CLOCK, 1.0)), CLOCK) == []
    assert hazards.clocks(run(one(CLOCK, None), one(SHARE, 2.0), one(CLOCK, 3.0, role="harness")), CLOCK) == []


def test_waiting_for_a_cpu() -> None:
    found = run(one(SHARE, 0.97), one(SHARE, 0.4), one(SHARE, 1.0, "process", ""))
    (sentence,) = hazards.waiting(found, SHARE)
    assert sentence.endswith("vm (tcg) 40%")
    assert hazards.waiting(run(one(SHARE, 0.99), one(SHARE, None)), SHARE) == []
    (sentence,) = hazards.waiting(run(one(SHARE, 1.0)), SHARE, threads=4)
    assert sentence.endswith("25%")


def test_translation() -> None:
    (sentence,) = hazards.translated(run(one(CLOCK, 1.0), one(CLOCK, 1.0)), "cpu", means="slow")
    assert sentence == "vm ran on TCG, which translates every instruction: slow"
    assert hazards.translated(run(one(CLOCK, 1.0, accelerator="kvm")), "cpu", means="slow") == []
    assert hazards.translated(run(replace(one(CLOCK, 1.0), benchmark="disk")), "cpu", means="slow") == []


@pytest.mark.parametrize(
    ("cpu", "missing"),
    [
        ({"governor": ["performance"], "turbo": False}, None),
        ({"governor": [], "turbo": True}, "its governor:"),
        ({"governor": [], "turbo": None}, "its governor nor its turbo:"),
        ({}, None),
    ],
)
def test_a_speed_that_nobody_knows(cpu: dict[str, Any], missing: str | None) -> None:
    found = hazards.unknown_speed(run(cpu=cpu))
    assert (found == []) if missing is None else (missing in found[0])
