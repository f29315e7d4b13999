from __future__ import annotations

import pytest
from isoscope.core import Exit, Lab
from isoscope.testing.conformance import SHOW_NAMESPACE, BackendConformance

pytestmark = pytest.mark.root


class TestProcess(BackendConformance):
    backend = "process"
    patience = 30

    def test_network_none_is_a_loopback_device_alone(self, lab: Lab) -> None:
        """Not here: a plain process has the host's network, and says so."""
        with self.made(lab, self.shell(SHOW_NAMESPACE)) as instance:
            assert self.ended(instance) == Exit(code=0)
            assert instance.proof()["network"] == "host"
