"""The fake backend passes the suite, found through its entry point by this process and by the one that is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from isoscope.core import Lab
from isoscope.testing.conformance import BackendConformance


class TestFake(BackendConformance):
    backend = "fake"
    patience = 20

    @pytest.fixture
    def lab(self, home: Path, fake_plugin_installed: None) -> Iterator[Lab]:
        with Lab(home) as lab:
            yield lab
