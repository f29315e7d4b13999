"""What would change the verdict is found by asking again: so asking again must find it."""

import pytest
from isoscope.benchmarks.advise.advice import conclude
from isoscope.benchmarks.advise.subject import Subject
from isoscope.core.workload import Workload


@pytest.fixture
def ask(candidates, measured):
    own = [one for one in candidates if one.variant in ("process", "container", "vm")]

    def ask(**values):
        return conclude(Subject(Workload(command=("echo", "hello")), values, "asked"), own, measured)

    return ask


def test_each_change_gives_the_answer_that_it_names(ask):
    values = {"trust": "shared", "cpu": 0.5, "lifetime": 1.0, "startup": 1.0}
    advice = ask(**values)
    assert advice.decision.answer.candidate.variant == "container"
    assert {"trust", "kernel", "modules", "os", "startup"} <= {one.field for one in advice.changes}
    for change in advice.changes:
        found = ask(**{**values, change.field: change.value}).decision.answer
        name = None if found is None else found.candidate.name
        assert name == (change.answer and change.answer.removesuffix(", as far as is known"))


def test_a_threshold_is_the_nearest(ask, measured, candidates):
    """Half of what the container's start was in a look without an interval: what is shorter is not had for certain."""
    values = {"trust": "shared", "startup": 1.0}
    change = next(one for one in ask(**values).changes if one.field == "startup")
    start = next(
        series["p50"]
        for run in measured.runs
        for series in run.summary["series"]
        if (series["metric"], series["variant"]) == ("startup.ready", "container")
    )
    assert change.value == pytest.approx(start / 2e9, rel=1e-3)
    assert "below" in change.sentence


def test_a_notebook_shows_the_answer_and_its_table(ask):
    text = ask(trust="shared", cpu=0.5)._repr_html_()
    assert "asked: container" in text
    assert "computing, times as long *" in text
    assert text.count("<table>") == 1
