"""The plots that benchmarks share."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.report.axes import Axis
from isoscope.benchmarks.report.figure import Figure, looks_of
from isoscope.benchmarks.report.plots import Cell, Line, bars, curve, ecdf, found, looks, matrix, tails
from isoscope.benchmarks.results.values import block_values, trial_values

from .conftest import HOSTILE
from .fake_run import make, shapes


@pytest.fixture(scope="module")
def run(whole_run: Path) -> Run:
    return Run.load(whole_run)


def series(run: Run, name: str):
    benchmark = name.partition(".")[0]
    metric = next(one for one in run.terms.subject(benchmark).headline if one.name == name)
    return found(run, benchmark, metric)


def words(made: Figure | None) -> list[str]:
    """The texts in a plot, which must be well-formed and have an alternative."""
    assert made is not None
    root = ET.fromstring(made.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == made.alternative
    assert "nan" not in made.svg
    return ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_values_of_a_series_are_its_own(run: Run) -> None:
    [one] = [one for one in series(run, "calls.time") if one.variant == "vm" and one.labels == {"call": "read-4k"}]
    values = trial_values(run, one)
    assert len(values) == one.values == 10
    assert np.median(values) == one.p50
    assert sorted(block_values(run, one)) == list(values)


def test_bars_show_every_group_and_variant_with_its_figure_and_interval(run: Run) -> None:
    made = bars(run, series(run, "store.throughput"), name="n", title="T", by=("phase",))
    shown = words(made)
    assert {"seq-read", "rand-mixed", "process", "container"} <= set(shown)
    assert [text for text in shown if re.fullmatch(r"[\d.]+ GiB/s", text)][-10:]
    assert made is not None
    assert "container phase=seq-read: 1.28 GiB/s, 95 % interval 1." in made.alternative
    assert "0.980 times process" in made.alternative
    assert "Whiskers are 95 % intervals" in made.caption
    assert made.caption.endswith("higher is better.")


def test_without_intervals_each_block_is_shown(tmp_path: Path) -> None:
    run = Run.load(make(tmp_path / "run", blocks=3, shapes=shapes()[3:4]))
    for log in (True, False):
        made = bars(run, series(run, "wire.latency"), name="n", title="T", by=("path",), log=log)
        assert made is not None
        assert "Small marks are the blocks" in made.caption
        assert len(re.findall(r"<use ", made.svg)) >= 4 * 3


def test_many_lines_leave_room_for_the_axes(run: Run) -> None:
    """Where they do not, matplotlib warns, and a warning fails a test."""
    many = [Line(f"a line of a name that takes a row of its own, number {n}", (1.0, 2.0), (1.0, n)) for n in range(40)]
    made = curve(run, many, x=Axis("x"), y=Axis("y", "ns"), name="n", title="T")
    assert len([text for text in words(made) if text.startswith("a line of a name")]) == len(many)


def test_what_spans_much_is_logarithmic_and_what_does_not_starts_at_zero(run: Run) -> None:
    shown = words(bars(run, series(run, "startup.ready"), name="n", title="T"))
    assert "startup.ready (logarithmic)" in shown
    assert {"10 ms", "100 ms", "1 s"} <= set(shown)
    shown = words(bars(run, series(run, "pack.marginal"), name="n", title="T"))
    assert {"0", "2 MiB", "4 MiB", "6 MiB"} <= set(shown)


def test_a_distribution_tells_its_percentiles(run: Run) -> None:
    made = ecdf(run, series(run, "startup.ready"), name="n", title="T")
    assert "90 %" in words(made)
    assert made is not None
    one = next(one for one in series(run, "startup.ready") if one.variant == "vm")
    assert one.p50 is not None
    assert f"vm (tcg): half at most {one.p50 / 1e9:.3g} s" in made.alternative


def test_a_curve_has_its_fit_and_its_ends_in_words(run: Run) -> None:
    lines = [
        Line("process", [1, 10, 100], [2e6, 2e7, 2e8], low=[1e6, 1e7, 1e8], high=[3e6, 3e7, 3e8]),
        Line("container", [1, 100], [1e6, 1e8], fit_x=[0, 100], fit_y=[0, 1e8]),
    ]
    made = curve(run, lines, x=Axis("instances"), y=Axis("memory", "B", log=False), name="n", title="T")
    assert {"1", "10", "100", "instances (logarithmic)", "64 MiB", "memory"} <= set(words(made))
    assert made is not None
    assert "process: 1.91 MiB at 1.00, 191 MiB at 100." in made.alternative
    assert words(curve(run, [Line("a", [1, 2], [-5, 5])], x=Axis("x"), y=Axis("y"), name="n", title="T"))


def test_tails_are_in_the_order_of_their_percentiles(run: Run) -> None:
    points = {"process": {"p99.9": 9e6, "p50": 1e3, "p99": 5e4}}
    made = tails(run, points, unit="ns", label="latency", name="n", title="T")
    shown = words(made)
    assert [text for text in shown if text.startswith("p") and text[1:2].isdigit()] == ["p50", "p99", "p99.9"]
    assert made is not None
    assert "process: p50 1 µs, p99 50 µs, p99.9 9 ms" in made.alternative


def test_a_matrix_has_words_in_every_cell(run: Run) -> None:
    cells = {("cpu", "vm"): Cell(3.0, "3.00 [2.8, 3.2]"), ("disk", "vm"): Cell(None, "not run")}
    made = matrix(["cpu", "disk"], ["vm", "container"], cells, name="n", title="T")
    shown = words(made)
    assert {"cpu", "disk", "vm", "container", "3.00 [2.8, 3.2]", "not run"} <= set(shown)
    assert shown.count("–") == 2
    assert made is not None
    assert made.alternative == "T. cpu: vm 3.00 [2.8, 3.2]. disk: vm not run."


def test_nothing_is_drawn_of_nothing(run: Run) -> None:
    axis = Axis("x")
    assert bars(run, [], name="n", title="T") is None
    assert ecdf(run, [], name="n", title="T") is None
    assert curve(run, [Line("a", [], [])], x=axis, y=axis, name="n", title="T") is None
    assert tails(run, {"a": {}}, unit="ns", label="l", name="n", title="T") is None
    assert matrix([], [], {}, name="n", title="T") is None


def test_names_of_strangers_are_drawn_as_they_are(tmp_path: Path) -> None:
    run = Run.load(make(tmp_path / "run", blocks=2, shapes=shapes()[2:3], rename=lambda text: f"{text} {HOSTILE}"))
    several = series(run, "store.latency")
    for made in (
        bars(run, several, name="n", title=HOSTILE, by=("phase",)),
        ecdf(run, several, name="n", title=HOSTILE),
        curve(run, [Line(HOSTILE, [1, 2], [3, 4])], x=Axis("x"), y=Axis("y"), name="n", title=HOSTILE),
        tails(run, {HOSTILE: {"p50": 1.0}}, unit="ns", label="l", name="n", title=HOSTILE),
        matrix([HOSTILE], [HOSTILE], {(HOSTILE, HOSTILE): Cell(2, HOSTILE)}, name="n", title=HOSTILE),
    ):
        assert "<script>alert" in "".join(words(made)) + (made.alternative if made else "")
        assert made is not None
        assert "\x1b" not in made.svg
        assert "\u202e" not in made.svg


def test_a_variant_looks_the_same_everywhere_and_differs_by_more_than_colour(run: Run) -> None:
    assert list(looks(run)) == ["process", "container", "vm (tcg)"]
    several = looks_of(map(str, range(12)))
    for part in ("line", "point", "fill"):
        shown = [
            {key: value for key, value in getattr(look, part).items() if "color" not in key}
            for look in several.values()
        ]
        assert len({str(one) for one in shown[:6]}) == 6
    for part in ("line", "point", "fill"):
        assert len({str(getattr(look, part)) for look in several.values()}) == 12
