"""felter2014/fio: eight phases on one file, in the published order."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System
from isoscope.core.units import format_size

_STUDY_FILE = 16 << 30  #: bytes
_STUDY_RUNTIME = 60.0  #: seconds of a random phase
_SCALE, _QUICK_SCALE = 1 / 120, 1 / 300
_LEAST_FILE = 64 << 20  #: bytes: sixteen requests of 1 MiB are under way at a time
_DISK_SHARE = 8  #: the file takes at most this part of what is free

_TODAY = "kvm-virtio-today"

_TITLE = "fio libaio direct 16g: "

#: The study's words for a phase, ours, and its metric.
_SEQUENTIAL = {"seq write 1M qd16": "seq-write", "seq read 1M qd1": "seq-read", "seq read 1M qd2": "seq-read-qd2"}
_RANDOM = {
    "rand write 4K qd16 x1": "rand-write",
    "rand write 4K qd16 x8": "rand-write-x8",
    "rand read 4K qd16 x1": "rand-read",
    "rand read 4K qd16 x8": "rand-read-x8",
    "mixed 70/30 4K qd32 x8, reads": "mixed-reads",
    "mixed 70/30 4K qd32 x8, writes": "mixed-writes",
}


class Fio(Recipe):
    """Container on a volume and VM past the host's page cache, against a directory of the host."""

    study: ClassVar[str] = "felter2014"
    item: ClassVar[str] = "fio"
    summary: ClassVar[str] = "storage: sequential, random and mixed load, container and VM against native"
    needs: ClassVar[Needs] = Needs(disk=8 * _LEAST_FILE, root=True, images=("fio",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        scale = _QUICK_SCALE if quick else _SCALE
        size, runtime = _file(here, scale), _STUDY_RUNTIME * scale
        terms = f"cpus={here.cpus},format=raw,cache=none" if here.kvm else "format=raw,cache=none"
        today = System(
            _TODAY,
            f"vm:{terms},aio=io_uring,iothread=on",
            "not in the study: with an iothread and io_uring, as one would set it up today",
        )
        return Plan(
            clock="fio's own, inside the system, there and here: bytes or requests a second, the ramp left out",
            systems=(
                System("native", "process:storage=volume", "a directory of the host's file system, as there"),
                System("docker-volume", "container:storage=volume", "our container in place of Docker 1.0's"),
                System(
                    "kvm-virtio",
                    f"vm:{terms},aio=native",
                    "virtio-blk as there, on a file of the host's file system; QEMU 1.5 there",
                ),
                *([today] if here.kvm else []),
            ),
            baseline="native",
            benchmarks=(f"disk:size={size >> 20}M,runtime={runtime:g},ramp={max(0.1, runtime / 5):g},phases=all",),
            matches=tuple(_matches()),
            settings=(
                Setting(
                    "file",
                    "16 GiB",
                    format_size(size),
                    f"scaled by the same {scale:.3g} as the time, so that a phase passes over the same share of it; at "
                    f"least {format_size(_LEAST_FILE)}, and at most an eighth of the free disk. O_DIRECT goes past the "
                    "page cache, so memory does not matter",
                ),
                Setting(
                    "time of a phase",
                    "60 s, sequential ones until the file's end",
                    f"{runtime:g} s each, by the clock",
                    f"scaled by {scale:.3g}; each phase is repeated in every block instead",
                ),
                Setting(
                    "repetitions",
                    "one run of each system",
                    "every system once in each block, in random order, and native twice",
                    "the study's figures have no spread; ours do, and the second native shows the noise",
                ),
                Setting(
                    "disk",
                    "20 TB of an SSD array over 8 Gb/s Fibre Channel",
                    "whatever the state directory stands on",
                    "not scaled: ratios to native are compared, on the same disk",
                ),
                Setting(
                    "virtual CPUs",
                    "as many as the host has",
                    "as many as the host has" if here.kvm else "1",
                    "the study's; under TCG, whose rows decide nothing, the cheapest",
                ),
                Setting(
                    "order of phases",
                    "as published",
                    "as published",
                    "kept: writes leave an SSD in a state that later phases meet",
                ),
            ),
            trial_seconds=8 * (1.2 * runtime + 0.6) + (4 if here.kvm else 9),
            left_out={} if here.kvm else {_TODAY: "under TCG the disk's path is hidden behind the translation of code"},
        )


def _file(here: Here, scale: float) -> int:
    """Bytes of the test file, in whole MiB."""
    return max(_LEAST_FILE, min(round(_STUDY_FILE * scale), here.disk_free // _DISK_SHARE)) >> 20 << 20


def _matches() -> list[Match]:
    found = [
        Match(_TITLE + words, "bandwidth", "disk", "disk.bandwidth", {"phase": phase}, factor=1e-6, short=words)
        for words, phase in _SEQUENTIAL.items()
    ]
    found += [
        Match(_TITLE + words, "iops", "disk", "disk.iops", {"phase": phase}, short=words)
        for words, phase in _RANDOM.items()
    ]
    latency = "rand read 4K qd16, mean completion latency"
    found.append(
        Match(
            _TITLE + latency,
            "latency",
            "disk",
            "disk.latency.mean",
            {"phase": "rand-read"},
            factor=1e-3,
            short="rand read 4K qd16 x1, mean latency",
        )
    )
    return found
