"""What the kernel counts: interrupts by row, and the exits of one virtual machine and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from isoscope.benchmarks.network.events import Events, Rates, interrupts, machine_counters
from isoscope.core.errors import Unsupported
from isoscope.core.instance import Instance

INTERRUPTS = """\
           CPU0       CPU1
  1:          9          0   IO-APIC   1-edge      i8042
 30:        100         20  IR-PCI-MSIX-0000:01:00.0   1-edge      eth1-TxRx-0
NMI:          0          0   Non-maskable interrupts
LOC:       5000       6000   Local timer interrupts
ERR:          7
MIS:          0
"""


class Machine:
    """An instance as far as it is asked."""

    def __init__(self, accelerator: str = "", pids: tuple[int, ...] = ()) -> None:
        self._proof, self._pids = ({"accelerator": accelerator} if accelerator else {}), pids

    def proof(self) -> dict[str, str]:
        return self._proof

    def processes(self) -> tuple[int, ...]:
        return self._pids


def ends(*machines: Machine) -> list[Instance]:
    return cast("list[Any]", list(machines))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host on which KVM runs two virtual machines."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/interrupts").write_text(INTERRUPTS)
    for name, count in (("41-12", 1000), ("42-12", 2000), ("420-12", 70000)):
        machine = tmp_path / "sys/kernel/debug/kvm" / name
        (machine / "vcpu0").mkdir(parents=True)
        (machine / "exits").write_text(f"{count}\n")
        (machine / "io_exits").write_text("5\n")
        (machine / "binary").write_text("\0")
    return tmp_path


def test_interrupts_by_row_without_those_that_went_wrong() -> None:
    assert interrupts(INTERRUPTS) == {
        "1: IO-APIC 1-edge i8042": 9,
        "30: IR-PCI-MSIX-0000:01:00.0 1-edge eth1-TxRx-0": 120,
        "NMI: Non-maskable interrupts": 0,
        "LOC: Local timer interrupts": 11000,
    }
    assert interrupts("") == {}


def test_the_kernels_own_can_be_read() -> None:
    assert any(
        name.startswith("LOC:") and count for name, count in interrupts(Path("/proc/interrupts").read_text()).items()
    )


def test_what_came_between_two_moments_is_told_by_the_second() -> None:
    before = Events(0, {"1:": 10, "2:": 5}, {"exits": 100})
    later = Events(2_000_000_000, {"1:": 30, "2:": 5, "3:": 4}, {"exits": 300})
    found = before.until(later)
    assert found == Rates({"1:": 10.0, "3:": 2.0}, {"exits": 100.0})
    assert (found.all_interrupts, found.all_exits) == (12.0, 100.0)


def test_the_exits_are_those_of_the_ends(root: Path) -> None:
    found = Events.read(ends(Machine("kvm", (41,)), Machine("kvm", (7, 42)), Machine()), root)
    assert found.exits == {"exits": 3000, "io_exits": 10}
    assert found.interrupts["LOC: Local timer interrupts"] == 11000


def test_why_there_are_no_exits(root: Path, tmp_path: Path) -> None:
    assert Events.read(ends(Machine()), root).no_exits == ""
    assert "without KVM" in Events.read(ends(Machine("tcg", (41,))), root).no_exits
    assert "nothing for this virtual machine" in Events.read(ends(Machine("kvm", (43,))), root).no_exits
    (root / "sys/kernel/debug/kvm").rename(tmp_path / "elsewhere")
    assert "mount -t debugfs" in Events.read(ends(Machine("kvm", (41,))), root).no_exits
    for found in (Events.read(ends(Machine()), root), Events.read(ends(Machine("kvm", (41,))), root)):
        assert found.exits is None
        assert found.until(found).all_exits is None


def test_a_kernel_that_counts_no_exits(root: Path) -> None:
    (root / "sys/kernel/debug/kvm/41-12/exits").unlink()
    with pytest.raises(Unsupported, match="does not count exits"):
        machine_counters((41,), root)
