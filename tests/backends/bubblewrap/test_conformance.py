"""bubblewrap passes the suite."""

from __future__ import annotations

import shutil

import pytest
from isoscope.testing.conformance import BackendConformance


@pytest.mark.root
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bwrap: make peers installs it")
class TestBubblewrap(BackendConformance):
    backend = "bubblewrap"
