"""The vm backend does what every backend does."""

from __future__ import annotations

import pytest
from isoscope.testing.conformance import BackendConformance


@pytest.mark.root
@pytest.mark.vm
class TestVm(BackendConformance):
    backend = "vm"
