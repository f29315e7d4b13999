"""The processor that a VM is shown, and where its threads run.

Source: https://libvirt.org/formatdomain.html, "CPU model and topology" and "CPU Tuning".

What felter2014 found to matter most in a VM: with QEMU's default model and no topology, LINPACK there ran at less
than half the speed that it had with both.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from isoscope.core.errors import InputError
from isoscope.core.host.facts import Cpu
from isoscope.core.variant import Option

OPTIONS = (
    Option(
        "cpu",
        "the model that the guest is shown: all is what the host has under KVM, and all that TCG can do under TCG; "
        "default is QEMU's own default, which has no SIMD wider than SSE",
        ("all", "default"),
        "all",
    ),
    Option(
        "topology",
        "how virtual CPUs are told to be arranged: flat gives each a socket of its own, host the sockets and threads "
        "that the host has, as far as they divide",
        ("flat", "host"),
        "flat",
    ),
    Option("pin", "tie each virtual CPU to a CPU of the host", ("off", "on"), "off"),
)

#: QEMU's default model of every x86 machine type (qemu-system(1), -cpu help).
_DEFAULT = "qemu64"


@dataclass(frozen=True)
class Processor:
    """Model, topology and placement of a VM's virtual CPUs."""

    model: str = "all"
    topology: tuple[int, int, int] | None = None  #: sockets, cores of each, threads of each; None says nothing
    pins: tuple[int, ...] = ()  #: for each virtual CPU the host's; empty leaves them to the scheduler

    @classmethod
    def of(cls, options: Mapping[str, str], vcpus: int, cpu: Cpu) -> Self:
        """The processor that a variant's options ask for. Raises InputError for more pinned ones than CPUs."""
        pins: tuple[int, ...] = ()
        if options["pin"] == "on":
            usable = sorted(os.sched_getaffinity(0))
            if vcpus > len(usable):
                raise InputError(
                    f"{vcpus} virtual CPUs cannot each have a CPU of the host's of their own: {len(usable)} are usable",
                    hint=f"give it cpus={len(usable)}, or leave out pin=on",
                )
            pins = tuple(usable[:vcpus])
        return cls(options["cpu"], arranged(vcpus, cpu) if options["topology"] == "host" else None, pins)

    def element(self, e: Any, accelerator: str) -> Any:
        """The domain's `cpu`."""
        inside = []
        if self.topology is not None:
            sockets, cores, threads = map(str, self.topology)
            inside.append(e.topology({"sockets": sockets, "cores": cores, "threads": threads}))
        if self.model == "default":
            return e.cpu(*inside)
        if accelerator == "kvm":
            return e.cpu({"mode": "host-passthrough"}, *inside)
        # ERMS promises that `rep movsb` is as fast as any copy. TCG moves byte by byte, and a kernel that was promised
        # so copies by it: without, a read of 4 KiB takes a quarter of the time.
        return e.cpu({"mode": "maximum"}, *inside, e.feature({"policy": "disable", "name": "erms"}))

    def name(self, accelerator: str) -> str:
        """QEMU's name for the model."""
        if self.model == "default":
            return _DEFAULT
        return "host" if accelerator == "kvm" else "max"

    def tuning(self, e: Any) -> list[Any]:
        """The domain's `cputune`, where there is anything to say."""
        if not self.pins:
            return []
        pins = (e.vcpupin({"vcpu": str(one), "cpuset": str(cpu)}) for one, cpu in enumerate(self.pins))
        return [e.cputune(*pins)]

    def proof(self, accelerator: str) -> dict[str, str]:
        """What stands beside each figure."""
        found = {"cpu": self.name(accelerator)}
        if self.topology is not None:
            found["topology"] = ":".join(map(str, self.topology))
        if self.pins:
            found["pinned"] = ",".join(map(str, self.pins))
        return found


def arranged(vcpus: int, cpu: Cpu) -> tuple[int, int, int]:
    """Sockets, cores and threads of so many virtual CPUs, as the host's are where that divides."""
    threads = cpu.logical // cpu.cores if cpu.cores else 1
    threads = threads if threads and vcpus % threads == 0 else 1
    sockets = cpu.sockets or 1
    sockets = sockets if vcpus // threads % sockets == 0 else 1
    return sockets, vcpus // threads // sockets, threads
