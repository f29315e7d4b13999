"""felter2014/stream: memory bandwidth is the same wherever it is measured."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.felter2014 import rules
from isoscope.core.units import format_size

_TIMES = 4  #: STREAM's own rule: each array at least so many times the last cache
_LEAST = 48 << 20  #: bytes of an array
_MEMORY_SHARE = 16  #: an array takes at most this part of the memory that is available
_KERNEL = 192 << 20  #: bytes that a guest needs beside the arrays


class Stream(Recipe):
    """STREAM's four operations on arrays that outgrow the caches."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "stream"
    summary: ClassVar[str] = "memory bandwidth: STREAM in a container and in a VM, against native"
    needs: ClassVar[Needs] = Needs(memory=3 * _LEAST + _KERNEL, root=True, images=("bench",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        array = _array(here)
        memory = (3 * array + _KERNEL) >> 20
        return Plan(
            clock="the program's own, inside the system, there and here: bytes a second that an operation moves",
            systems=(
                System("native", "process", "a plain process, as there"),
                System("docker", "container", "our container in place of Docker 1.0's"),
                System("kvm", f"vm:memory={memory}M", "QEMU 1.5 there"),
            ),
            baseline="native",
            benchmarks=(f"memory:array={array >> 20}M,repetitions={5 if quick else 10}",),
            matches=tuple(_matches()),
            settings=(
                Setting(
                    "arrays",
                    "three of 12.3 GiB",
                    f"three of {format_size(array)}",
                    f"{_TIMES} times the last cache, as STREAM's rules ask for, at least {format_size(_LEAST)}, and at "
                    "most a sixteenth of the memory that is available; the last cache here has "
                    f"{format_size(here.cache)}",
                ),
                rules.threads("32 on two sockets, or 16 on one"),
                Setting("huge pages", "transparent ones, as the kernels had them", "likewise", "kept"),
                rules.repetitions("one run of each system; STREAM gives the best of ten passes, ours the median"),
            ),
            trial_seconds=(4 if here.kvm else 12) * max(1.0, array / (128 << 20)),
        )


def _array(here: Here) -> int:
    """Bytes of each array, in whole MiB."""
    return max(_LEAST, min(_TIMES * here.cache, here.available // _MEMORY_SHARE)) >> 20 << 20


def _matches() -> list[Match]:
    found = [
        Match(
            f"STREAM {operation}, 2 sockets",
            "bandwidth",
            "memory",
            "memory.bandwidth",
            {"operation": operation},
            factor=1e-9,
            obstacle=rules.TWO_SOCKETS,
            short=f"{operation}, 2 sockets",
        )
        for operation in ("copy", "scale", "add", "triad")
    ]
    one = Match(
        "STREAM triad, 1 socket",
        "bandwidth",
        "memory",
        "memory.bandwidth",
        {"operation": "triad"},
        factor=1e-9,
        short="triad, 1 socket",
    )
    return [*found, one]
