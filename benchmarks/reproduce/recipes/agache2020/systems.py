"""What stands here for the virtual machine monitors of the Firecracker paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoscope.benchmarks.reproduce.recipe import Setting, System

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Hardware threads of an EC2 m5d.metal with SMT off: two Xeon Platinum 8175M of 24 cores.
STUDY_CPUS = 48

STUDY_QEMU = "the distribution's QEMU and kernel; there a static build of 4.2 with some 80 features off, and 4.14"

QBOOT = System("qemu-qboot", "qemu-boot:machine=pc,firmware=qboot", STUDY_QEMU)
SEABIOS = System("qemu-seabios", "qemu-boot:machine=pc,firmware=seabios", STUDY_QEMU)
MICROVM = System("qemu-microvm", "qemu-boot:machine=microvm,firmware=qboot", STUDY_QEMU)

#: Monitors of which no package here has one.
LEFT_OUT: Mapping[str, str] = dict.fromkeys(
    ("firecracker", "firecracker-pre", "firecracker-end-to-end", "cloud-hypervisor"),
    "no package of this distribution has it; a plugin of one's own can bring it",
)

CLOCK = (
    "there from just before exec of the monitor to its end, which the guest's first process causes by a write to an "
    "exit port; here the same, from Instance.start() to the end seen on QEMU's pidfd"
)

GUEST = Setting(
    "guest",
    "kernel 4.14 of few drivers, 1 vCPU, 256 MiB, a read-only virtio-blk root with the init",
    "the distribution's kernel for virtual machines, uncompressed, by PVH; 1 vCPU, 256 MiB; the init in an initrd",
    "a distribution's kernel has the driver of a disk as a module; all systems of a run boot the same bytes",
)
