"""Tables of figures on terminals of any width."""

from __future__ import annotations

import io

import pytest
from isoscope.benchmarks.results import screen
from rich.console import Console

COLUMNS = ("METRIC", "VARIANT", "N", "P50", "P99", "RATIO")
ROWS = [
    ("throughput ↑ instance-to-instance", "process", 10, "1.31 GiB/s", "1.4 GiB/s", "1"),
    ("throughput ↑ instance-to-instance", "container:cpus=1,memory=64M", 10, "1.28 GiB/s", "1.36 GiB/s", "0.980"),
    ("latency ↓", "process", 10, "87 µs", "89 µs", "1"),
]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch):
    """The table on a terminal of that many columns."""

    def show(width: int) -> list[str]:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, width=width, color_system=None)
        monkeypatch.setattr(screen, "console", lambda: console)
        screen.print_figures(COLUMNS, ROWS, spare=("P99", "N"))
        return [line.rstrip() for line in out.getvalue().splitlines()]

    return show


def test_where_there_is_room_every_column_stands_and_a_name_once(shown) -> None:
    lines = shown(200)
    assert lines[0].split() == list(COLUMNS)
    assert len(lines) == 4
    assert "throughput" in lines[1]
    assert lines[2].split()[0] == "container:cpus=1,memory=64M"


def test_columns_that_can_be_spared_go_one_after_another(shown) -> None:
    assert shown(95)[0].split() == ["METRIC", "VARIANT", "N", "P50", "RATIO"]
    assert shown(86)[0].split() == ["METRIC", "VARIANT", "P50", "RATIO"]


@pytest.mark.parametrize("width", [80, 60, 40])
def test_then_groups_get_lines_of_their_own_and_no_figure_is_cut(shown, width: int) -> None:
    lines = shown(width)
    assert lines[0].split() == ["VARIANT", "P50", "RATIO"]
    assert all(len(line) <= width for line in lines)
    text = " ".join(lines)
    assert "…" not in text
    for row in ROWS:
        assert row[3] in text
        assert row[5] in text
    assert lines[-1].split() == ["process", "87", "µs", "1"]
    assert lines[-1].startswith("  ")


def test_a_pipe_gets_everything_in_lines_of_any_length(capsys: pytest.CaptureFixture[str]) -> None:
    screen.print_figures(COLUMNS, ROWS, spare=("P99", "N"))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.splitlines()[0].split() == list(COLUMNS)
    assert len(out.splitlines()) == 4
