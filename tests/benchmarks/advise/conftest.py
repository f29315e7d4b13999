"""A host on which everything is ready, with stored runs for its measurements: answers depend on no machine."""

from pathlib import Path

import pytest
from isoscope.backends.container.backend import ContainerBackend
from isoscope.backends.process.backend import ProcessBackend
from isoscope.backends.vm.backend import VmBackend
from isoscope.benchmarks.advise.candidates import KVM, TCG, candidate, on
from isoscope.benchmarks.results.past import past, read
from isoscope.core.backend import Lack
from isoscope.core.capabilities import Capabilities
from isoscope.core.workload import Network

HERE = Path(__file__).parent
RUNS = HERE / "runs"

_PEER = Capabilities(
    networks=frozenset({Network.NONE, Network.BRIDGE, Network.HOST}), limits=frozenset({"cpus", "memory", "pids"})
)
_PEERS = ("docker", "podman", "bubblewrap", "oci:runtime=runc", "oci:runtime=runsc")


@pytest.fixture(scope="session")
def candidates():
    own = [
        candidate("process", ProcessBackend.capabilities),
        candidate("container", ContainerBackend.capabilities),
        *(candidate(name, _PEER) for name in _PEERS),
    ]
    return [*own, on(candidate("vm", VmBackend.capabilities), KVM)]


@pytest.fixture(scope="session")
def without_kvm(candidates):
    """The same host when guests can only be translated."""
    vm = candidate("vm", VmBackend.capabilities)
    return [*candidates[:-1], on(vm, TCG), on(vm, KVM, (Lack("KVM is absent", "use another host"),))]


@pytest.fixture(scope="session")
def measured():
    """What was measured on the host on which the stored runs were made."""
    run = read(RUNS / "start-density")
    memory = run.environment["host"]["memory"]["total"]
    return past([RUNS], {**run.manifest["host"], "memory": memory})
