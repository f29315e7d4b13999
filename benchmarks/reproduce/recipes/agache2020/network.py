"""agache2020/network: one and ten TCP streams into a guest and out of it, against the host's loopback device."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.network.ends import TO_HOST, TO_INSTANCE
from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Kind, Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.agache2020.systems import LEFT_OUT, STUDY_QEMU

_STUDY_SECONDS, _SECONDS, _QUICK_SECONDS = 30, 3, 1
_TITLE = "iperf3 -t 30 host-guest over tap, MTU 1500, no vhost: "
_STREAMS = (1, 10)

#: What was published: the study's words for it, our number of streams and our path.
_ROWS = (
    ("1 stream into guest", 1, TO_INSTANCE),
    ("1 stream out of guest", 1, TO_HOST),
    ("10 streams into guest", 10, TO_INSTANCE),
)

#: Sender, receiver, QEMU's main loop and a virtual CPU: fewer than these take turns.
_ENOUGH_CPUS = 4


class Network(Recipe):
    """QEMU's own virtio-net over a tap, and loopback."""

    study: ClassVar[str] = "agache2020"
    item: ClassVar[str] = "network"
    summary: ClassVar[str] = "one and ten TCP streams into a guest and out of it, without vhost, against loopback"
    needs: ClassVar[Needs] = Needs(root=True, cpus=2, images=("net",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        seconds = _QUICK_SECONDS if quick else _SECONDS
        paths, streams = f"{TO_INSTANCE}+{TO_HOST}", "+".join(map(str, _STREAMS))
        crowded = here.cpus < _ENOUGH_CPUS
        return Plan(
            clock="the client's, there and here: bytes that the receiver counted a second",
            systems=(
                System("loopback", "process", "both ends on the host's own network, as there"),
                System("qemu", "vm:network=bridge,vhost=off", STUDY_QEMU),
                System("container", "container:network=bridge", "not in the study: the same bridge without a VM"),
            ),
            baseline="loopback",
            benchmarks=(f"network:duration={seconds},streams={streams},paths={paths}",),
            matches=tuple(
                Match(
                    _TITLE + words,
                    "throughput",
                    "network",
                    "network.throughput",
                    {"path": path, "streams": number},
                    factor=8e-9,
                    kind=Kind.DIRECTION if crowded else Kind.SIZE,
                    why=f"the {here.cpus} CPUs of this host are shared by sender, receiver and QEMU" if crowded else "",
                    short=words,
                )
                for words, number, path in _ROWS
            ),
            settings=(
                Setting("streams", "1 and 10", "1 and 10", "kept: a single one cannot keep a guest's queue full"),
                Setting(
                    "time",
                    f"{_STUDY_SECONDS} s",
                    f"{seconds} s with each number of streams in each direction",
                    f"scaled by 1/{_STUDY_SECONDS // seconds}; blocks repeat it",
                ),
                Setting("MTU", "1500 bytes", "1500 bytes on our bridge; loopback has its own", "kept, as there"),
                Setting(
                    "path",
                    "a tap of the host",
                    "a tap on our bridge",
                    "the host is reached by the bridge's own address: a lookup more in each packet's way",
                ),
                Setting("vhost", "none", "none", "kept: QEMU moves the packets, as Firecracker does its own"),
                Setting(
                    "congestion control",
                    "the kernels' default",
                    "Reno on both sides",
                    "what every kernel has: else a guest's default would be compared with the host's",
                ),
                Setting("guest", "1 vCPU, 256 MiB", "1 vCPU, 256 MiB", "kept"),
                Setting(
                    "repetitions",
                    "one run of each",
                    "every system once in each block, in random order, and loopback twice",
                    "blocks give the interval, and the second loopback shows the noise",
                ),
            ),
            trial_seconds=2 * len(_STREAMS) * (seconds + 0.5) + 2 * seconds + (4 if here.kvm else 9),
            left_out=LEFT_OUT,
        )
