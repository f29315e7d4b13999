"""The backend `process` passes the suite, on the image that we ship."""

from __future__ import annotations

import pytest
from isoscope.testing.conformance import BackendConformance


@pytest.mark.root
class TestProcess(BackendConformance):
    backend = "process"
