from __future__ import annotations

import os

import pytest
from isoscope.core import Lab, Network
from isoscope.testing.conformance import SHOW_NAMESPACE, BackendConformance
from isoscope.testing.engine import EngineProcess

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("engine")]


class TestDocker(BackendConformance):
    backend = "docker"
    patience = 30
    memory = 32 << 20
    unicode_only = True

    def test_network_host_is_the_hosts(self, lab: Lab, engine: EngineProcess) -> None:
        """The engine's host's, which for the tests' engine is a network namespace of its own."""
        _, output, _ = self.run(lab, SHOW_NAMESPACE, network=Network.HOST)
        assert output.decode().strip() == os.readlink(f"/proc/{engine.pid}/ns/net")
