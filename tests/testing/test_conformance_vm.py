"""The backend `vm` passes the suite, on the image that we ship, with virtual machines that really boot."""

from __future__ import annotations

import pytest
from isoscope.testing.conformance import BackendConformance


@pytest.mark.root
@pytest.mark.vm
class TestVm(BackendConformance):
    backend = "vm"
