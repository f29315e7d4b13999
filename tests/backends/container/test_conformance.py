from __future__ import annotations

import pytest
from isoscope.testing.conformance import BackendConformance

pytestmark = pytest.mark.root


class TestContainer(BackendConformance):
    backend = "container"
    patience = 30
    memory = 32 << 20
