"""The table of what people of the field use, row by row."""

import tomllib

import pytest
from isoscope.benchmarks.advise.advice import conclude
from isoscope.benchmarks.advise.subject import Subject
from isoscope.core.workload import Workload

from .conftest import HERE

ROWS = tomllib.loads((HERE / "workloads.toml").read_text())["row"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"].replace(" ", "-"))
def test_the_answer_is_what_the_source_names(row, candidates, measured):
    tables = {table: row[table] for table in ("profile", "requirements")}
    answer = conclude(Subject.of(Workload(), tables, row["name"]), candidates, measured).decision.answer
    assert answer is not None
    assert (answer.candidate.kind in row["answer"]) is ("disagrees" not in row), answer.candidate.name


def test_the_table_is_as_wide_as_it_claims():
    assert len(ROWS) >= 30
    assert sum(row["part"] == 2 for row in ROWS) >= 10
    assert len({row["name"] for row in ROWS}) == len(ROWS)
    assert all(row["source"] and row["says"] for row in ROWS)
    assert {kind for row in ROWS for kind in row["answer"]} == {
        "process",
        "container",
        "user-space kernel",
        "virtual machine",
    }
    assert sum("disagrees" in row for row in ROWS) == 1
