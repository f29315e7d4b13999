"""Memory of a monitor beside its guest's: what is read of smaps, and one real QEMU."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from isoscope.benchmarks import Trial
from isoscope.benchmarks.overhead.benchmark import Overhead, sizes
from isoscope.benchmarks.overhead.mappings import read
from isoscope.core import Lab, Variant, Workload
from isoscope.core.errors import InputError, WorkloadFailed

SMAPS = b"""\
55d0c0000000-55d0c0100000 r-xp 00000000 08:01 12 /usr/bin/qemu-system-x86_64
Size:               1024 kB
Pss:                 512 kB
Pss_Dirty:             0 kB
7f0000000000-7f0010000000 rw-p 00000000 00:00 0
Size:             262144 kB
Pss:               40960 kB
7f0020000000-7f0020200000 rwxp 00000000 00:00 0
Pss:                 100 kB
7f0030000000-7f0030100000 rw-s 00000000 00:05 7 /dev/shm/x
Pss:                   8 kB
7f0040000000-7f0040001000 ---p 00000000 00:00 0
Pss:                   0 kB
"""


def test_private_data_and_what_is_resident() -> None:
    found = list(read(SMAPS.splitlines(keepends=True)))
    assert [one.size >> 20 for one in found] == [1, 256, 2, 1, 0]
    assert [one.private_data for one in found] == [False, True, True, False, False]
    assert [one.pss >> 10 for one in found] == [512, 40960, 100, 8, 0]


def test_sizes_ascend() -> None:
    assert sizes("1G+128M+128M") == (128 << 20, 1 << 30)
    with pytest.raises(InputError):
        sizes("128M+")


def test_a_variant_with_a_size_of_its_own_is_refused(lab: Lab) -> None:
    with pytest.raises(InputError, match="names a size of its own"):
        Overhead().agree(lab, [Variant.parse("vm:memory=1G")], Workload(), {})


def trial(lab: Lab, variant: str) -> Trial:
    return Trial(
        lab,
        Variant.parse(variant),
        Workload(command=("true",)),
        block=1,
        warmup=False,
        timeout=120,
        options={"sizes": (128 << 20,), "settle": 0.2},
        shield=nullcontext,
        step=lambda _: None,
        keep=lambda *_: None,
    )


def test_a_real_monitor_takes_more_than_its_guest(lab: Lab) -> None:
    reserved, resident = Overhead().measure(trial(lab, "qemu-boot:guest=stays"))
    assert reserved.labels["guest_bytes"] == 128 << 20
    assert reserved.value is not None
    assert reserved.value > 10 << 20
    assert resident.value is not None
    assert 5 << 20 < resident.value < reserved.value


def test_one_that_ends_has_nothing_to_be_looked_at(lab: Lab) -> None:
    with pytest.raises(WorkloadFailed, match="ended by itself before the look"):
        list(Overhead().measure(trial(lab, "null")))
