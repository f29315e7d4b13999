"""What the host is, read from trees that stand in for other hosts."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from isoscope.core.host import system
from isoscope.core.host.facts import Virtualized

CORE = (
    "processor\t: {}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\n"
    "physical id\t: {}\ncore id\t\t: {}\nflags\t\t: fpu{}\n\n"
)


def cpuinfo(*threads: tuple[int, int], flags: str = "") -> dict[str, str]:
    text = "".join(CORE.format(number, *thread, flags) for number, thread in enumerate(threads))
    return {"proc/cpuinfo": text}


def test_processors_with_smt(tree) -> None:
    found = system.cpu(tree(cpuinfo((0, 0), (0, 0), (1, 0), (1, 0))))
    assert (found.model, found.vendor) == ("Xeon", "GenuineIntel")
    assert (found.logical, found.cores, found.sockets, found.smt) == (4, 2, 2, True)


def test_processors_without_smt(tree) -> None:
    assert system.cpu(tree(cpuinfo((0, 0), (0, 1)))).smt is False


def test_processors_that_tell_no_topology(tree) -> None:
    found = system.cpu(tree({"proc/cpuinfo": "processor : 0\nBogoMIPS : 50\n\nprocessor : 1\n"}))
    assert (found.logical, found.cores, found.smt, found.model) == (2, None, None, "")


def test_this_host_has_as_many_processors_as_python_says() -> None:
    found = system.cpu(Path("/"))
    assert (found.logical, found.usable) == (os.cpu_count(), len(os.sched_getaffinity(0)))


def test_memory(tree) -> None:
    found = system.memory(tree({"proc/meminfo": "MemTotal:  2048 kB\nMemAvailable:  1024 kB\nSwapTotal: 0 kB\n"}))
    assert (found.total, found.available, found.swap) == (2 << 20, 1 << 20, 0)


def test_memory_that_is_not_told_is_none_and_not_zero(tree) -> None:
    found = system.memory(tree({"proc/meminfo": "MemTotal: some kB\n"}))
    assert (found.total, found.available, found.swap) == (None, None, None)


@pytest.mark.parametrize("place", ["etc/os-release", "usr/lib/os-release"])
def test_distribution(tree, place: str) -> None:
    found = system.distribution(tree({place: 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian \\"12\\""\n'}))
    assert (found.id, found.version, found.name) == ("debian", "12", 'Debian "12"')


def test_a_distribution_with_a_quote_that_never_ends(tree) -> None:
    assert system.distribution(tree({"etc/os-release": 'ID="debian\n'})).id == '"debian'


def test_privileges(tree) -> None:
    files = {"proc/self/status": "Name:\tx\nCapEff:\t0000000000000003\n", "proc/sys/kernel/cap_last_cap": "2\n"}
    found = system.privileges(tree(files))
    assert found.effective == ("CAP_CHOWN", "CAP_DAC_OVERRIDE")
    assert found.missing == ("CAP_DAC_READ_SEARCH",)


def test_capabilities_are_named_by_their_bits() -> None:
    # The ones on which the rest of the program relies; linux/capability.h.
    for name, bit in (("SYS_ADMIN", 21), ("SYS_RESOURCE", 24), ("MKNOD", 27), ("CHECKPOINT_RESTORE", 40)):
        assert system.CAPABILITIES[bit] == f"CAP_{name}"


@pytest.mark.parametrize(
    ("files", "hypervisor"),
    [
        ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"}, "QEMU"),
        ({"sys_vendor": "Amazon EC2", "product_name": "t3.micro"}, "Amazon EC2"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "Hyper-V"),
        ({"sys_vendor": "Xen", "product_name": "HVM domU"}, "Xen"),
        ({"sys_vendor": "VMware, Inc."}, "VMware"),
        ({"sys_vendor": "innotek GmbH"}, "VirtualBox"),
        ({"bios_vendor": "BHYVE"}, "bhyve"),
        ({"product_name": "KVM"}, "KVM"),
    ],
)
def test_a_hypervisor_that_dmi_names(tree, files: dict[str, str], hypervisor: str) -> None:
    found = system.virtualized(tree({f"sys/class/dmi/id/{name}": f"{text}\n" for name, text in files.items()}))
    assert (found.nested, found.hypervisor) == (True, hypervisor)
    assert found.evidence.startswith("DMI: ")


def test_a_hypervisor_that_only_the_processor_shows(tree) -> None:
    found = system.virtualized(tree(cpuinfo((0, 0), flags=" hypervisor")))
    assert (found.nested, found.hypervisor) == (True, "")


def test_bare_metal(tree) -> None:
    microsoft = {"sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n", "sys/class/dmi/id/product_name": "Surface\n"}
    assert not system.virtualized(tree(cpuinfo((0, 0)) | microsoft)).nested


def test_a_processor_made_of_software_is_known_by_its_signature() -> None:
    assert Virtualized(nested=True, signature="TCGTCGTCGTCG").emulated
    assert not Virtualized(nested=True, signature="KVMKVMKVM").emulated
    assert not Virtualized(nested=False).emulated


def test_the_processor_answers_with_a_signature_where_it_shows_a_hypervisor(tree) -> None:
    flags = Path("/proc/cpuinfo").read_text()
    found = system.virtualized(Path("/"))
    assert bool(found.signature) == (" hypervisor" in flags and platform.machine() == "x86_64")
    assert found.signature.isprintable()
    assert not system.virtualized(tree(cpuinfo((0, 0), flags=" hypervisor"))).signature, "a tree has no processor"
