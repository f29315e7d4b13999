"""What starting a VM will do, for reading."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import join

from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.vm.domain import Machine, command_line, domain_xml
from isoscope.backends.vm.guest_terms import guest_terms
from isoscope.backends.vm.hypervisor import EMULATOR
from isoscope.backends.vm.protocol import PORT, parse_text
from isoscope.core.backend import Step
from isoscope.core.launch import Launch
from isoscope.core.units import format_size
from isoscope.core.workload import Network


def steps(launch: Launch, machine: Machine, cgroup: Cgroup, uri: str) -> list[Step]:
    """The steps in order, each under the phase that it falls into."""
    return [Step(phase, text) for phase, text in _steps(launch, machine, cgroup, uri)]


def _steps(launch: Launch, machine: Machine, cgroup: Cgroup, uri: str) -> Iterator[tuple[str, str]]:
    for step in cgroup.steps():
        yield "define", step.describe()
    bridged = launch.workload.network is Network.BRIDGE
    if bridged:
        yield "define", "lease an address on the bridge, to which libvirt will add a tap"
    source = machine.base if machine.storage.format == "raw" else f"an empty qcow2 overlay on {machine.base}"
    yield "define", f"copy {source} to {machine.disk}"
    for share in machine.shares:
        read_only = ", read-only" if share.mount.read_only else ""
        yield "define", f"open_tree {share.mount.source}{read_only}; move_mount to {share.directory}"
    yield "define", f"listen on {machine.console} and {machine.control}"
    yield "define", f"{uri}: virDomainCreateXML\n{domain_xml(machine).rstrip()}"
    for directory in cgroup.directories.values():
        yield "define", f"write QEMU's pid to {directory}/cgroup.procs as soon as libvirt has written it down"
    yield (
        "vmm",
        (
            f"{EMULATOR} -accel {machine.accelerator} -cpu {machine.processor.name(machine.accelerator)} "
            f"-smp {machine.vcpus} with {format_size(machine.memory)} of RAM"
        ),
    )
    yield "kernel", f"{machine.kernel} with {command_line(machine)}"
    yield "init", "finit_module virtio_pci, virtio_blk, virtio_console; mount /dev/vda on / and what a system needs"
    yield "init", f"open the virtio-serial port {PORT}"
    for name, value in parse_text(guest_terms(launch, None, ())).items():
        yield "init", f"{name} {value.strip()!r}"
    for share in machine.shares:
        yield "init", f"mount virtiofs {share.tag} on {share.mount.target}"
    yield "init", "bring up lo" + (" and eth0, with the lease's address, route and MTU" if bridged else "")
    yield "exec", f"chdir {launch.working_directory()}; execve {join(launch.workload.command)}"
    yield "ready", "wait for the first byte of output"
