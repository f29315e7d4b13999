"""felter2014/net-rr and felter2014/net-throughput: a server in the system under test, a client outside."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Kind, Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.felter2014 import rules

_NO_WIRE = (
    "the study's client stood behind 10 GbE, some 30 us of a round trip in each of its figures; here there is no wire, "
    "so that what a layer adds weighs more"
)
_FULL_WIRE = (
    "every system of the study fills the same wire of 10 Gbit/s, which is why they are alike; here there is no wire, "
    "and each shows what its own path can carry"
)
_CLIENT = Setting(
    "client",
    "on another machine, over 10 GbE",
    "a process of the same host",
    "there is one host: native is reached over the loopback device, the others over our bridge",
)


class NetRr(Recipe):
    """netperf's request/response tests with 100 and 200 bytes."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "net-rr"
    summary: ClassVar[str] = "round trips over TCP and UDP: VM against native"
    needs: ClassVar[Needs] = Needs(root=True, cpus=2, images=("net",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        seconds = 0.5 if quick else 2
        return Plan(
            clock="the client's, outside the system, there and here: one transaction after another",
            systems=(
                System("native", "process", "a plain process on the host's network, as there"),
                System("kvm", "vm:network=bridge", "1 virtual CPU, virtio, and vhost where the host has it"),
                System("container", "container:network=bridge", "not in the study: the same bridge without a VM"),
            ),
            baseline="native",
            benchmarks=(f"rr:request=100,response=200,duration={seconds}s",),
            matches=tuple(_rr_matches()),
            settings=(
                Setting(
                    "program", "netperf 2.6", "our own in C", "netperf is not in every distribution; it does the same"
                ),
                Setting("sizes", "100 and 200 bytes", "100 and 200 bytes", "kept"),
                Setting("time", "60 s, five times", f"{seconds:g} s over each protocol", "blocks repeat it"),
                _CLIENT,
                rules.repetitions("five runs"),
            ),
            trial_seconds=2 * seconds + (3 if here.kvm else 6),
        )


class NetThroughput(Recipe):
    """nuttcp's one stream in either direction."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "net-throughput"
    summary: ClassVar[str] = "one TCP stream in either direction: container and VM against native"
    needs: ClassVar[Needs] = Needs(root=True, cpus=2, images=("net",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        seconds = 1 if quick else 2
        return Plan(
            clock="the receiver's, there and here: bytes a second of one stream",
            systems=(
                System("native", "process", "over the loopback device"),
                System("docker-nat", "container:network=bridge", "our bridge, without a translated port"),
                System("kvm", "vm:network=bridge", "virtio, and vhost where the host has it"),
            ),
            baseline="native",
            benchmarks=(f"network:duration={seconds},paths=host-to-instance+instance-to-host",),
            matches=tuple(
                Match(
                    f"nuttcp 1 TCP stream, {words}",
                    "throughput",
                    "network",
                    "network.throughput",
                    {"path": path},
                    factor=8e-9,
                    obstacle=_FULL_WIRE,
                    short=words,
                )
                for words, path in (("client to server", "host-to-instance"), ("server to client", "instance-to-host"))
            ),
            settings=(
                Setting("program", "nuttcp", "iperf3", "both send one stream for as long as they are told"),
                Setting("time", "10 s", f"{seconds} s in each direction", "blocks repeat it"),
                _CLIENT,
                rules.repetitions("not told"),
            ),
            trial_seconds=3 * seconds + (4 if here.kvm else 9),
        )


def _rr_matches() -> list[Match]:
    found = [
        Match(
            f"netperf {protocol.upper()}_RR 100/200 B, 60 s x5",
            "transactions",
            "rr",
            "rr.transactions",
            {"protocol": protocol},
            kind=Kind.DIRECTION,
            why=_NO_WIRE,
            short=f"{protocol.upper()}_RR",
        )
        for protocol in ("tcp", "udp")
    ]
    found.append(
        Match(
            "netperf TCP_RR 100/200 B, 60 s x5",
            "latency",
            "rr",
            "rr.latency",
            {"protocol": "tcp"},
            factor=1e-3,
            kind=Kind.DIRECTION,
            why=_NO_WIRE,
            short="TCP_RR",
        )
    )
    return found
