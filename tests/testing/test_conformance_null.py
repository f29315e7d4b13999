"""The null backend, which runs nothing, passes that part of the suite which is about an instance's life."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from isoscope.core import Lab
from isoscope.testing.conformance import LifecycleConformance
from isoscope.testing.fake import FakePlugin, lab_with


class TestNull(LifecycleConformance):
    backend = "null"

    @pytest.fixture
    def lab(self, home: Path) -> Iterator[Lab]:
        from isoscope.backends.null import plugin

        with lab_with(home, plugin, FakePlugin()) as lab:
            yield lab
