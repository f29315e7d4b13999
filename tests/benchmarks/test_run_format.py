"""The reference of the run format names every field there is, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.report import markdown
from isoscope.benchmarks.results.trials import FIELDS

#: What a run has only if `isoscope reproduce` made it.
REPRODUCED = {"reproduction", "reproduction.json"}

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/run-format.md"


def documented(heading: str, table: int = 0) -> set[str]:
    """The names in the first column of a section's table."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    rows = [line.split("|")[1] for line in tables[table].splitlines()[2:]]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.fixture
def run(compare: Callable[..., Run]) -> Run:
    return compare(backends=(), benchmarks=("startup", "steps"))


def stored(run: Run, name: str) -> dict[str, Any]:
    data = json.loads((run.directory / name).read_text())
    assert isinstance(data, dict)
    assert data["schema"] == 1
    return data


def test_the_page_lists_the_fields_of_a_trial() -> None:
    assert documented("trials.jsonl") == set(FIELDS)


@pytest.mark.parametrize("name", ["manifest.json", "environment.json", "summary.json"])
def test_the_page_lists_the_fields_of_each_file(run: Run, name: str) -> None:
    assert documented(name) - REPRODUCED == set(stored(run, name))


def test_the_page_lists_the_fields_of_a_series_and_of_a_failure(run: Run) -> None:
    summary = stored(run, "summary.json")
    for series in summary["series"]:
        assert documented("summary.json", 1) == set(series)
    assert summary["failures"]
    text = PAGE.read_text()
    ratios = [series["ratio"] for series in summary["series"] if series["ratio"]]
    for example in (
        summary["failures"][0],
        ratios[0],
        stored(run, "environment.json")["before"],
        summary["not_run"][0],
    ):
        for field in example:
            assert f"`{field}`" in text or field == "backend", field


def test_the_page_lists_the_files_of_a_folder(run: Run) -> None:
    markdown.write(run.directory)
    names = set(re.findall(r"^\| `([^`/]+)", PAGE.read_text().split("\n## ")[0], re.MULTILINE))
    assert names - REPRODUCED == {path.name for path in run.directory.iterdir()}


def test_the_environment_is_known_before_and_after(run: Run) -> None:
    environment = stored(run, "environment.json")
    for moment in (environment["before"], environment["after"]):
        assert len(moment["load"]) == 3
        assert moment["memory_available"] > 0
        assert moment["cpu_ticks"]["total"] > moment["cpu_ticks"]["steal"] >= 0
    assert environment["after"]["cpu_ticks"]["total"] >= environment["before"]["cpu_ticks"]["total"]
    assert environment["versions"]["kernel"] == environment["host"]["kernel"]["release"]
    assert environment["home_filesystem"]
