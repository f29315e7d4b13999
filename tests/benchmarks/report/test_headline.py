"""The first table, over all benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.report import html, markdown, section
from isoscope.benchmarks.report.headline import Cell, columns, headline
from isoscope.benchmarks.report.plots import looks

from .fake_run import Shape, make, metric, shapes


def cells(run: Run, benchmark: str, name: str, under: str = "") -> dict[str, Cell]:
    [group] = [group for group in headline(run) if group.benchmark == benchmark]
    [row] = [row for row in group.rows if row.metric.name == name and row.under == under]
    return dict(zip([column.name for column in columns(run)], row.cells, strict=True))


@pytest.fixture(scope="module")
def run(whole_run: Path) -> Run:
    return Run.load(whole_run)


def test_a_cell_has_the_median_and_its_ratio_with_interval_and_word(run: Run) -> None:
    found = cells(run, "startup", "startup.ready")
    assert list(found) == ["process", "container", "vm (tcg)"]
    assert found["process"].baseline
    assert found["process"].ratio == ""
    series = next(one for one in run.results.of("startup", "startup.ready") if one.variant == "vm")
    assert series.ratio is not None
    assert found["vm (tcg)"].ratio == f"× {series.ratio.value:.0f}"
    assert found["vm (tcg)"].interval == f"[{series.ratio.interval.low:.0f}, {series.ratio.interval.high:.0f}]"
    judged = found["vm (tcg)"].judgement
    assert judged is not None
    assert (judged.better, judged.word, judged.sign) == (False, "slower", "▼")


def test_no_difference_is_said(run: Run) -> None:
    judged = cells(run, "pack", "pack.marginal")["container"].judgement
    assert judged is not None
    assert (judged.better, judged.word, judged.sign) == (None, "no difference shown", "≈")


def test_a_missing_cell_says_why(run: Run) -> None:
    assert cells(run, "store", "store.latency", "5 × phase")["vm (tcg)"].missing.startswith("fio ended with status 1")
    found = cells(run, "wire", "wire.latency", "host-to-instance")
    assert found["process"].missing == "backend 'process' lacks what 'wire' needs: network bridge"
    assert found["container"].baseline  # where the run's baseline has nothing, the first that has something


def test_few_values_of_a_dimension_are_rows_and_many_are_folded(run: Run) -> None:
    under = {group.benchmark: [row.under for row in group.rows] for group in headline(run)}
    assert under["wire"] == ["host-to-instance", "instance-to-instance"] * 2
    assert under["calls"] == ["7 × call"]
    found = cells(run, "calls", "calls.time", "7 × call")
    assert " … " in found["process"].value
    assert found["vm (tcg)"].judgement is not None
    assert found["vm (tcg)"].judgement.word == "slower"


def test_with_few_blocks_it_says_that_there_is_no_interval(tmp_path: Path) -> None:
    found = cells(Run.load(make(tmp_path / "run", blocks=3, shapes=shapes()[:1])), "startup", "startup.ready")
    assert found["vm (tcg)"].judgement is None
    assert found["vm (tcg)"].interval == ""
    assert found["vm (tcg)"].unsure.startswith("3 blocks")


def test_a_dimension_that_one_variant_lacks_says_why(tmp_path: Path) -> None:
    shape = Shape("rate", (metric("rate.value", "1/s", "higher"),), {"rate.value": 5.0}, {"size": (1, 2)})
    path = make(tmp_path / "run", blocks=2, shapes=(shape,))
    trials = path / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    gone = [line for line in lines if '"variant": "vm"' in line and '"size": "2"' in line]
    assert gone
    trials.write_text("".join(line for line in lines if line not in gone))
    assert cells(Run.load(path), "rate", "rate.value", "2")["vm (tcg)"].missing == "not measured"


def test_two_accelerators_of_one_variant_are_two_columns(tmp_path: Path) -> None:
    path = make(tmp_path / "run", blocks=2, shapes=shapes()[:1])
    trials = path / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text("".join(line.replace('"tcg"', '"kvm"') if '"block": 2' in line else line for line in lines))
    names = [column.name for column in columns(Run.load(path))]
    assert names == ["process", "container", "vm (kvm)", "vm (tcg)"]


def test_what_tells_no_accelerator_stands_in_the_only_column_of_its_variant(tmp_path: Path) -> None:
    path = make(tmp_path / "run", blocks=2, shapes=shapes()[:2])
    trials = path / "trials.jsonl"
    lines = trials.read_text().splitlines(keepends=True)
    trials.write_text(
        "".join(line.replace(', "accelerator": "tcg"', "") if "pack." in line else line for line in lines)
    )
    assert cells(Run.load(path), "pack", "pack.fit")["vm (tcg)"].value.isdecimal()


def test_a_slope_that_is_negative_by_chance_has_no_ratio(tmp_path: Path) -> None:
    shape = Shape("slope", (metric("slope.value", "B", "lower"),), {"slope.value": -5000.0})
    run = Run.load(make(tmp_path / "run", blocks=10, shapes=(shape,)))
    found = cells(run, "slope", "slope.value")["container"]
    assert found.value.startswith("-")
    assert (found.ratio, found.interval, found.judgement) == ("", "", None)
    assert found.unsure == "a median is negative: a ratio to it, or of it, would say nothing"
    assert "<br>no ratio |" in markdown.render(run)
    assert '<span class="soft shown">no ratio</span>' in html.render(run, section.sections(run))


def test_the_baseline_stands_first_and_looks_as_it_does_in_the_plots(tmp_path: Path) -> None:
    run = Run.load(make(tmp_path / "run", blocks=2, variants=("container", "vm", "process"), shapes=shapes()[:1]))
    names = [column.name for column in columns(run)]
    assert names == ["process", "container", "vm (tcg)"]
    assert list(looks(run)) == names
