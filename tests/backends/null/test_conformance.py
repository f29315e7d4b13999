from __future__ import annotations

from isoscope.testing.conformance import LifecycleConformance


class TestNull(LifecycleConformance):
    backend = "null"
