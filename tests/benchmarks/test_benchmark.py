"""A trial's instance: deleted at the end, whenever a signal comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isoscope.benchmarks import Trial
from isoscope.core import Variant, Workload
from isoscope.testing.fake import FakePlugin, lab_with


@pytest.mark.parametrize("moment", ["before create", "after create", "before delete", "after delete"])
def test_an_instance_is_deleted_when_a_signal_comes_beside_the_shield(home: Path, moment: str) -> None:
    verbs = iter(["create", "delete"])

    @contextmanager
    def shield() -> Iterator[None]:
        verb = next(verbs)
        if moment == f"before {verb}":
            raise KeyboardInterrupt
        yield
        if moment == f"after {verb}":
            raise KeyboardInterrupt

    with lab_with(home, FakePlugin()) as lab:
        trial = Trial(
            lab,
            Variant("fake"),
            Workload(command=["true"]),
            block=1,
            warmup=False,
            timeout=10,
            options={},
            shield=shield,
            step=print,
            keep=lambda name, data: None,
        )
        with pytest.raises(KeyboardInterrupt), trial.instance():
            pass
        assert list(lab.registry) == []
