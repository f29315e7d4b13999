from __future__ import annotations

import shutil

import pytest
from isoscope.testing.conformance import BackendConformance

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("lxc-start") is None, reason="make peers installs it"),
]


class TestLxc(BackendConformance):
    backend = "lxc"
    patience = 30
