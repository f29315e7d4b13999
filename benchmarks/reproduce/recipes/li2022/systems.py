"""What stands here for the sandboxes of the RunD paper."""

from __future__ import annotations

from collections.abc import Mapping

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Setting, System

STUDY_CPUS = 104  #: virtual CPUs of its host
SANDBOX = 128 << 20  #: bytes of a sandbox

#: Share of the available memory that sandboxes may take, and bytes that each takes beside its guest's.
_SHARE = 0.5
_BESIDE = 64 << 20

VM = System(
    "kata-qemu",
    f"vm:memory={SANDBOX >> 20}M",
    "QEMU by libvirt, no containerd, no Kata agent: an instance of ours in place of a pod's sandbox",
)

#: Not in the study, which starts machines alone: what a start costs without one.
SHARED_KERNEL = (
    System("container", "container", "not in the study: ours"),
    System("runc", "oci:runtime=runc", "not in the study"),
    System("bubblewrap", "bubblewrap", "not in the study"),
)

LEFT_OUT: Mapping[str, str] = {
    "rund": "it was never published",
    "kata-template": "no package of this distribution has it",
    "kata-firecracker": "no package of this distribution has it",
}

CLOCK = (
    "there from before `crictl runp` until the sandbox is reported ready, looked at every 10 ms; here from the first "
    "call of Instance.start() to the first byte of output of the last instance, by events"
)

NETWORK = Setting(
    "network", "the host's", "none", "nobody is to wait for a network, and a virtual machine has no other"
)


def most(here: Here) -> int:
    """Sandboxes that a host's memory takes at a time."""
    return max(1, int(_SHARE * here.available / (SANDBOX + _BESIDE)))
