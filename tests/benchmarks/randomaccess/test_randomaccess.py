"""`randomaccess`: what its program prints, and what is not believed."""

from __future__ import annotations

from typing import Any

import pytest
from isoscope.benchmarks.randomaccess.benchmark import RandomAccess
from isoscope.core.errors import WorkloadFailed

GUPS = """\
{"begin":"gups"}
{"end":"gups","huge":0}
{"updates":1000,"bytes":4194304,"ns":[1000000,4000000,2000000]}
"""


def test_a_rate_is_the_median_of_the_passes(pretence: Any) -> None:
    pretence.outputs["gups"] = GUPS
    found = {value.metric.name: value for value in pretence.measure(RandomAccess(), table="4M", repetitions="3")}
    assert set(found) == {metric.name for metric in (*RandomAccess.headline, *RandomAccess.details)}
    assert found["randomaccess.updates"].value == 1000 / 0.002
    assert found["randomaccess.updates"].labels["command"] == "gups 4 3"


@pytest.mark.parametrize(
    "output", ["", GUPS * 2, GUPS.replace("1000,", "-1,"), GUPS.replace('"huge":0', '"huge":"no"')]
)
def test_what_is_no_answer_is_refused(pretence: Any, output: str) -> None:
    pretence.outputs["gups"] = output
    with pytest.raises(WorkloadFailed, match="gups printed what it does not print"):
        pretence.measure(RandomAccess(), table="4M")
