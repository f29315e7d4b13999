"""How long a comparison goes on, and what ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.harness import stopping
from isoscope.benchmarks.harness.extent import BLOCKS, LEAST_BLOCKS, MOST_BLOCKS, QUICK, looks, parse_precision
from isoscope.benchmarks.harness.interrupts import Interrupted
from isoscope.benchmarks.results.precision import judge
from isoscope.benchmarks.startup import benchmark as startup
from isoscope.core.errors import InputError
from isoscope.core.units import parse_duration

from .conftest import environment

Compare = Callable[..., Run]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup.Startup, "figures", lambda *_: [])


class Clock:
    """Time that stands still but for blocks, each of which takes ten seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 10**12
        monkeypatch.setattr(stopping, "monotonic_ns", lambda: self.now)

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "made" and event["variant"] == "vm":
            self.now += 10 * 10**9


def notes(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["event"] == "note"]


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.05", 0.05), (".5", 0.5), (" 2.5 % ", 0.025)])
def test_a_precision_is_a_percentage_or_a_share(text: str, share: float) -> None:
    assert parse_precision(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "5", "0", "0%", "1.0", "100%", "-5%", "5%%", "nan", "1e-3", "٥%"])
def test_what_is_no_precision_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="precision"):
        parse_precision(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("600", 600), ("1.5s", 1.5), ("2min", 120)]
)
def test_a_span_of_time_is_in_hours_minutes_and_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1m", "m", "10 parsecs", "1d", "inf", "9" * 5000 + "h"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="span of time"):
        parse_duration(text)


def test_looks_begin_with_the_first_interval_and_grow_apart() -> None:
    found = list(looks(100))
    assert found[0] == LEAST_BLOCKS
    assert all(before < after <= before * 1.2 + 1 for before, after in pairwise(found))
    assert found[-1] < 100 <= found[-1] * 1.2 + 1


@pytest.mark.parametrize(
    ("request_", "blocks"),
    [
        ({}, BLOCKS),
        ({"quick": True}, QUICK),
        ({"blocks": 4}, 4),
        ({"budget": 1e-9}, BLOCKS),
        ({"precision": 0.05, "budget": 1e-9}, MOST_BLOCKS),
        ({"precision": 0.05, "blocks": 12, "budget": 1e-9}, 12),
    ],
)
def test_the_number_of_blocks_follows_from_what_is_asked(compare: Compare, request_: Any, blocks: int) -> None:
    run = compare(**{"blocks": None, **request_}, backends=("process",))
    assert run.terms.blocks == blocks
    assert json.loads((run.directory / "manifest.json").read_text())["precision"] == request_.get("precision")


@pytest.mark.parametrize(
    "request_",
    [{"precision": 0.0}, {"precision": 1.0}, {"precision": 0.05, "blocks": 8}, {"budget": 0.0}, {"budget": -1.0}],
)
def test_an_extent_that_cannot_be_is_refused(compare: Compare, tmp_path: Path, request_: Any) -> None:
    with pytest.raises(InputError):
        compare(**request_)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_would_not_fit_into_the_budget_is_not_begun(
    compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm-up block and three others of ten seconds each fit into 45."""
    events: list[dict[str, Any]] = []
    clock = Clock(monkeypatch)
    run = compare(blocks=9, budget=45.0, progress=lambda event: (events.append(event), clock(event)))
    ends = run.trials[run.trials["metric"] == "harness.trial"]
    assert ends.groupby("block").size().to_dict() == {0: 4, 1: 4, 2: 4, 3: 4}  # whole ones
    assert run.complete
    assert not run.failed
    assert run.results.blocks_made == 3
    assert run.results.ended is not None
    assert run.results.ended["why"] == "budget"
    assert "after 3 of at most 9 blocks" in run.results.remarks[0]
    assert any("would not have fitted into the budget of 45 s" in note for note in notes(events))
    stored = json.loads((run.directory / "summary.json").read_text())
    assert stored["ended"] == run.results.ended
    left = [event["left_ns"] for event in events if event["event"] == "trial"]
    assert all(time is None or time <= 45 * 10**9 for time in left)


def test_a_first_block_is_made_whatever_the_budget(compare: Compare) -> None:
    run = compare(blocks=5, budget=1e-6)
    assert run.results.blocks_made == 1
    assert run.complete


def test_a_run_that_its_budget_ended_goes_on_with_the_whole_budget_again(
    compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = compare(blocks=6, budget=35.0, progress=Clock(monkeypatch))
    assert run.results.blocks_made == 2
    again = compare(directory=run.directory, resume=True, progress=Clock(monkeypatch))
    assert again.terms.budget == 35
    assert again.results.blocks_made == 4  # it warmed up again, and made two more
    assert again.results.ended is not None


def test_a_stopped_run_has_not_ended_by_itself(compare: Compare) -> None:
    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "trial" and event["block"] == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as stopped:
        compare(blocks=5, budget=3600.0, progress=stop)
    assert stopped.value.run is not None
    assert stopped.value.run.results.ended is None
    assert not stopped.value.run.complete


def test_blocks_are_made_until_the_intervals_are_narrow_enough(compare: Compare) -> None:
    """Between backends that sleep, every ratio is soon known to 80 %."""
    events: list[dict[str, Any]] = []
    run = compare(blocks=None, precision=0.8, progress=events.append)
    found = run.results.precision
    assert found is not None
    assert found.reached
    assert found.widest is not None
    assert found.widest <= 0.8
    assert run.results.blocks_made in set(looks(100))
    assert run.results.ended is not None
    assert run.results.ended["why"] == "precision"
    assert "every headline interval lay within ± 80.00% of its value" in run.results.remarks[0]
    assert run.complete
    before = (run.directory / "trials.jsonl").read_bytes()
    again = compare(directory=run.directory, resume=True)
    assert (again.directory / "trials.jsonl").read_bytes() == before  # it was enough, and is
    assert again.complete


def test_a_precision_that_is_not_reached_is_told(compare: Compare) -> None:
    events: list[dict[str, Any]] = []
    run = compare(blocks=10, precision=1e-6, backends=("process",), progress=events.append)
    assert run.results.blocks_made == 10
    assert run.results.ended is None
    assert run.results.precision is not None
    assert not run.results.precision.reached
    assert any("± 0.00%, was not reached: startup." in text for text in run.results.remarks)
    [note] = [text for text in notes(events) if "after 9 blocks" in text]
    assert "and 10 are allowed" in note


def test_a_look_that_fails_does_not_stop_the_night(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, 1, stdout="", stderr="Traceback\nMemoryError: no more\n")

    monkeypatch.setattr(stopping.subprocess, "run", run)
    events: list[dict[str, Any]] = []
    made = compare(blocks=10, precision=0.9, backends=("process",), progress=events.append)
    assert made.results.blocks_made == 10
    assert "the intervals cannot be looked at: MemoryError: no more" in notes(events)


def test_no_numerical_library_comes_into_the_measuring_process_by_a_look(home: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from isoscope.core import Lab
heavy = {{"pandas", "numpy", "scipy", "matplotlib", "pyarrow", "jinja2"}}
def look(event):
    if event["event"] in ("trial", "made", "note"):
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        print(event.get("text", event["event"]))
with Lab() as lab:
    lab.compare(backends=["process"], blocks=10, precision=1e-6, directory={str(tmp_path / "run")!r}, progress=look)
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "after 9 blocks" in done.stdout


def test_the_widest_interval_decides(compare: Compare) -> None:
    series = compare(blocks=9).results.of("startup", role="headline")
    found = judge(series, 1e-9)
    widths = {
        f"{one.metric.name} of {one.name} to process": (one.ratio.interval.high - one.ratio.interval.low)
        / 2
        / one.ratio.value
        for one in series
        if one.ratio
    }
    assert len(widths) == 4
    assert found.widest == pytest.approx(max(widths.values()))
    assert widths[found.series] == pytest.approx(found.widest)
    assert judge(series, found.widest * 1.01).reached
    alone = judge([one for one in series if one.variant == "process"], 0.5)
    assert "to process" not in alone.series  # nothing is compared with it: its own median counts
    assert alone.widest is not None


def test_too_few_blocks_have_no_precision(compare: Compare) -> None:
    found = judge(compare(blocks=2).results.series, 0.99)
    assert found.widest is None
    assert not found.reached
