"""agache2020/fio: random reads and writes of a guest, against the same on the host."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System
from isoscope.benchmarks.reproduce.recipes.agache2020.systems import LEFT_OUT
from isoscope.core.units import format_size

_STUDY_FILE, _STUDY_RUNTIME = 10 << 30, 30.0  # bytes, seconds
_SCALE, _QUICK_SCALE = 1 / 30, 1 / 100
_LEAST_FILE = 64 << 20  #: bytes
_DISK_SHARE = 8  #: the file takes at most this part of what is free

_TITLE = "fio libaio direct: "

#: The study's words for a phase, and ours.
_IOPS = {
    "4k randread qd32": "fc-read-4k",
    "4k randwrite qd32": "fc-write-4k",
    "128k randread qd32": "fc-read-128k",
    "128k randwrite qd32": "fc-write-128k",
}
_LATENCY = {"4k randread qd1": "fc-read-4k-qd1"}


class Fio(Recipe):
    """QEMU's virtio-blk, and a directory of the host."""

    study: ClassVar[str] = "agache2020"
    item: ClassVar[str] = "fio"
    summary: ClassVar[str] = "storage: random reads and flushed writes of a guest against native"
    needs: ClassVar[Needs] = Needs(disk=8 * _LEAST_FILE, root=True, images=("fio",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        scale = _QUICK_SCALE if quick else _SCALE
        size = max(_LEAST_FILE, min(round(_STUDY_FILE * scale), here.disk_free // _DISK_SHARE)) >> 20 << 20
        runtime = max(0.3, _STUDY_RUNTIME * scale)
        phases = "+".join([*_IOPS.values(), *_LATENCY.values()])
        return Plan(
            clock="fio's own, inside the system, there and here",
            systems=(
                System(
                    "native", "process:storage=volume", "a directory of the host's file system; there a local NVMe SSD"
                ),
                System("qemu", "vm:format=raw,cache=writeback,aio=threads", "QEMU's defaults, as there"),
            ),
            baseline="native",
            benchmarks=(f"disk:size={size >> 20}M,runtime={runtime:g},ramp={max(0.1, runtime / 5):g},phases={phases}",),
            matches=(
                *(
                    Match(_TITLE + words, "iops", "disk", "disk.iops", {"phase": phase}, short=words)
                    for words, phase in _IOPS.items()
                ),
                *(
                    Match(
                        _TITLE + words,
                        "p99 latency",
                        "disk",
                        "disk.latency.p99",
                        {"phase": phase},
                        factor=1e-3,
                        short=words,
                    )
                    for words, phase in _LATENCY.items()
                ),
            ),
            settings=(
                Setting(
                    "file",
                    "10 GiB",
                    format_size(size),
                    f"scaled by the same {scale:.3g} as the time; at least {format_size(_LEAST_FILE)}, and at most an "
                    "eighth of the free disk",
                ),
                Setting("time of a phase", "30 s", f"{runtime:g} s", f"scaled by {scale:.3g}, at least 0.3 s"),
                Setting(
                    "flushes", "fsync every 32 writes", "likewise", "kept; whether a flush is one is looked at apart"
                ),
                Setting("guest", "2 vCPU, 512 MiB", "1 vCPU, 256 MiB", "one queue is served by one CPU in either"),
            ),
            trial_seconds=6 * (1.2 * runtime + 0.6) + (4 if here.kvm else 9),
            left_out=LEFT_OUT,
        )
