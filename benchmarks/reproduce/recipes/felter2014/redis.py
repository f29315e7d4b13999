"""felter2014/redis: a server of small requests, under one connection and under many."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Kind, Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.felter2014 import rules

_STUDY_REQUESTS = 500_000
_SCALE, _QUICK_SCALE = 1 / 100, 1 / 500

#: Relative standard deviations of the study's repetitions of GET, 10 to 40 for each, computed from its own logs
#: (redis/results) as the figures were.
_DEVIATIONS = {
    1: {"native": 0.056, "docker-host": 0.020, "docker-nat": 0.104, "kvm": 0.183},
    5: {"native": 0.088, "docker-host": 0.058, "docker-nat": 0.102, "kvm": 0.068},
    10: {"native": 0.038, "docker-host": 0.067, "docker-nat": 0.133, "kvm": 0.086},
    30: {"native": 0.100, "docker-host": 0.039, "docker-nat": 0.055, "kvm": 0.084},
    50: {"native": 0.100, "docker-host": 0.070, "docker-nat": 0.070, "kvm": 0.101},
    100: {"native": 0.076, "docker-host": 0.090, "docker-nat": 0.059, "kvm": 0.037},
}

_NO_WIRE = (
    "the study's clients stood behind 10 GbE, whose time is in each of its figures; here nothing but the host's own "
    "network lies between, so that what a layer adds weighs more"
)


class Redis(Recipe):
    """Requests a second over the number of connections, clients outside the system under test."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "redis"
    summary: ClassVar[str] = "small requests to a server: container on the host's and on a network of its own, and VM"
    needs: ClassVar[Needs] = Needs(root=True, cpus=2, images=("redis",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        scale = _QUICK_SCALE if quick else _SCALE
        requests = round(_STUDY_REQUESTS * scale)
        connections = "+".join(map(str, _DEVIATIONS))
        return Plan(
            clock="the client's, outside the system, there and here: requests answered a second",
            systems=(
                System("native", "process", "a plain process on the host's network, as there"),
                System("docker-host", "container:network=host", "our container in place of Docker 1.0's"),
                System(
                    "docker-nat",
                    "container:network=bridge",
                    "our bridge, reached by the container's own address; Docker translated a port of the host's, too",
                    kind=Kind.DIRECTION,
                    why=_NO_WIRE,
                ),
                System(
                    "kvm",
                    f"vm:network=bridge,cpus={rules.vcpus(here)}",
                    "virtio with vhost where the host has it, on our bridge",
                    kind=Kind.DIRECTION,
                    why=_NO_WIRE,
                ),
            ),
            baseline="native",
            benchmarks=(f"redis:connections={connections},requests={requests}",),
            matches=tuple(
                Match(
                    f"redis-benchmark GET 50 B, {number} connections, no pipelining",
                    "throughput",
                    "redis",
                    "redis.requests",
                    {"request": "GET", "connections": number},
                    deviations=deviations,
                    x=float(number),
                    short=f"GET, {number} connections",
                )
                for number, deviations in _DEVIATIONS.items()
            ),
            settings=(
                Setting(
                    "requests",
                    f"{_STUDY_REQUESTS} of each kind",
                    f"{requests} of each kind",
                    f"scaled by {scale:g}: blocks repeat them",
                ),
                Setting(
                    "value, keys", "50 bytes, 100000 keys", "50 bytes, 100000 keys", "kept; no pipelining, as there"
                ),
                Setting(
                    "clients",
                    "on another machine, over 10 GbE",
                    "processes of the same host",
                    "there is one host: client and server share its CPUs in every system alike",
                ),
                Setting(
                    "native and docker-host",
                    "over the wire",
                    "over the loopback device",
                    "the server shares the host's network in both",
                ),
                rules.virtual_cpus(here, "32"),
                rules.repetitions("10 to 40 runs of each"),
            ),
            trial_seconds=(4 if here.kvm else 18) * scale / _SCALE + 3,
        )
