"""The XML of a VM with everything in it, against the standard library's ElementTree building as many elements."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from isobench.duel import Duel
from isoscope.backends.network import Lease
from isoscope.backends.vm.domain import Machine, domain_xml
from isoscope.backends.vm.shares import Share
from isoscope.core.workload import Mount

#: Documents in a round: one takes less than a millisecond.
COUNT = 50

MACHINE = Machine(
    name="isoscope-0123456789ab",
    accelerator="tcg",
    type="pc-q35-7.2",
    emulator="/usr/bin/qemu-system-x86_64",
    vcpus=1,
    memory=256 << 20,
    kernel=Path("/cache/vmlinux"),
    initrd=Path("/cache/initrd"),
    pvh=True,
    disk=Path("/instance/disk.qcow2"),
    base=Path("/cache/base.raw"),
    console=Path("/instance/console"),
    control=Path("/instance/control"),
    lease=Lease("isobr0", "isotap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500, (), ()),
    shares=tuple(Share(f"m{n}", "directory", Path(f"/m{n}"), Mount(Path("/src"), Path("/dst"))) for n in range(3)),
)


def test_domain_xml(duel: Duel) -> None:
    elements = domain_xml(MACHINE).count("</") + domain_xml(MACHINE).count("/>")

    def ours() -> None:
        for _ in range(COUNT):
            domain_xml(MACHINE)

    def plain() -> None:
        for _ in range(COUNT):
            root = ET.Element("domain")
            for number in range(elements):
                ET.SubElement(root, "element", {"type": "text"}).text = str(number)
            ET.indent(root)
            ET.tostring(root, encoding="unicode")

    duel("domain XML", ours, plain, to="as many elements of ElementTree", rounds=60)
