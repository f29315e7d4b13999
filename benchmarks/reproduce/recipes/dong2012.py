"""dong2012-sriov/scaling: machines with a virtual function each, on one wire.

Dong et al., High Performance Network Virtualization with SR-IOV, JPDC 72 (2012).
"""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System


class Scaling(Recipe):
    """A function passed to a machine and one given to a container, beside the bridge that they stand in for.

    The published figures are of SR-IOV alone, so nothing can be judged; what each carries here is shown.
    """

    study: ClassVar[str] = "dong2012-sriov"
    item: ClassVar[str] = "scaling"
    summary: ClassVar[str] = "virtual functions in a VM and in a container, beside a bridge (in the rig)"
    needs: ClassVar[Needs] = Needs(root=True, rig=True, images=("net",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        seconds = 1 if quick else 3
        return Plan(
            clock="the receiver's, there and here: bytes a second",
            systems=(
                System("sriov", "vm:network=vf", "one machine with a function passed to it"),
                System("container with a function", "container:network=vf", "not in the study"),
                System("container on a bridge", "container:network=bridge", "not in the study: no function at all"),
            ),
            baseline="sriov",
            benchmarks=(f"network:duration={seconds},paths=host-to-instance",),
            matches=(
                Match(
                    "10 GbE SR-IOV, 60 VMs",
                    "throughput",
                    "network",
                    "network.throughput",
                    {"path": "host-to-instance"},
                    factor=8e-9,
                    short="one TCP stream",
                ),
            ),
            settings=(
                Setting(
                    "machines",
                    "60 at once on a wire of 10 Gbit/s",
                    "one at a time",
                    "what is said of sixty, that the wire stays full, takes a card with as many functions, and a wire",
                ),
                Setting(
                    "CPU",
                    "1.76 % of one more for each machine",
                    "not compared",
                    "in an emulated host the card itself is a program on the CPUs whose time would be counted",
                ),
                Setting(
                    "time", "not told in the abstract", f"{seconds} s", "as short as a stream settles; blocks repeat it"
                ),
            ),
            blocks=3,
            trial_seconds=60 + seconds,
        )
