from __future__ import annotations

import marshal

import pytest
from isoscope.backends.launcher.process import Execute, OpenTerminal, StandardStreams
from isoscope.backends.launcher.step import Step


def test_a_step_survives_the_wire():
    for step in (
        Execute(("sh", "-c", "\udcff ü"), {"A": "b\n"}),
        OpenTerminal(24, 80, console=True),
        StandardStreams(),
    ):
        assert Step.unpack(marshal.loads(marshal.dumps(step.pack()))) == step


def test_steps_are_frozen_and_compare_by_value():
    step = OpenTerminal(24, 80, True)
    assert step == OpenTerminal(rows=24, columns=80, console=True)
    assert step != OpenTerminal(25, 80, True)
    assert step != StandardStreams()
    assert hash(step) == hash(OpenTerminal(24, 80, True))
    assert repr(step) == "OpenTerminal(rows=24, columns=80, console=True)"
    with pytest.raises(AttributeError):
        step.rows = 1


@pytest.mark.parametrize("arguments", [(24, 80), (24, 80, True, 1)])
def test_a_step_with_the_wrong_fields_is_refused(arguments):
    with pytest.raises((TypeError, AttributeError)):
        OpenTerminal(*arguments)


def test_every_step_says_what_it_does():
    undescribed = [kind.__name__ for kind in Step.kinds.values() if "describe" not in vars(kind)]
    assert undescribed == []
