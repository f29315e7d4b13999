"""A /sys from a list of PCI functions, as Documentation/ABI/testing/sysfs-bus-pci of the kernel has it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: What is known of a function, by its address: see `trees/*.toml`.
Functions = Mapping[str, Mapping[str, Any]]

_BUS = "sys/bus/pci"


def grow(root: Path, entries: Mapping[str, str]) -> None:
    """Files, links (`-> TARGET`) and directories (a name with a slash behind it)."""
    for name, content in entries.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        elif content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_text(content)


def entries(functions: Functions) -> dict[str, str]:
    """The entries of all functions."""
    physical = {vf: address for address, facts in functions.items() for vf in facts.get("sriov", {}).get("vfs", ())}
    found = {f"{_BUS}/drivers_probe": "", f"{_BUS}/drivers/": ""}
    for address, facts in functions.items():
        home = _home(address, functions, physical)
        found[f"{_BUS}/devices/{address}"] = _link(f"{_BUS}/devices", home)
        for name, content in _function(address, facts, home, physical.get(address)):
            found[f"{home}/{name}" if not name.startswith("sys/") else name] = content
    return found


def listing(root: Path) -> dict[str, str]:
    """All that a tree holds, to see whether it was touched."""
    found = {}
    for directory, _, _ in os.walk(root):
        for path in Path(directory).iterdir():
            name = str(path.relative_to(root))
            found[name] = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "/"
    return found


def _home(address: str, functions: Functions, physical: Mapping[str, str]) -> str:
    behind = functions.get(physical.get(address, address), {}).get("behind", "")
    bus = f"sys/devices/pci{(behind or address)[:7]}"
    return f"{bus}/{behind}/{address}" if behind else f"{bus}/{address}"


def _function(address: str, facts: Mapping[str, Any], home: str, physical: str | None) -> Iterator[tuple[str, str]]:
    vendor, device = facts.get("ids", "8086:10fb").split(":")
    yield "class", f"{facts.get('class', 0x020000):#08x}\n"
    yield "vendor", f"0x{vendor}\n"
    yield "device", f"0x{device}\n"
    yield "driver_override", f"{facts.get('override', '(null)')}\n"
    if driver := facts.get("driver"):
        yield "driver", _link(home, f"{_BUS}/drivers/{driver}")
        yield f"{_BUS}/drivers/{driver}/unbind", ""
    if (group := facts.get("group")) is not None:
        yield "iommu_group", _link(home, f"sys/kernel/iommu_groups/{group}")
        members = f"sys/kernel/iommu_groups/{group}/devices"
        yield f"{members}/{address}", _link(members, home)
    for name in facts.get("net", ()):
        yield f"net/{name}/phys_port_name", f"{facts.get('ports', {}).get(name, '')}\n"
    if sriov := facts.get("sriov"):
        yield from _physical(sriov)
    if physical:
        yield "physfn", f"-> ../{physical}"


def _physical(sriov: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    vfs = sriov.get("vfs", ())
    yield "sriov_totalvfs", f"{sriov['total']}\n"
    yield "sriov_numvfs", f"{len(vfs)}\n"
    yield "sriov_drivers_autoprobe", f"{sriov.get('autoprobe', 1)}\n"
    for name in ("offset", "stride"):
        yield f"sriov_{name}", f"{sriov.get(name, 0)}\n"
    for number, vf in enumerate(vfs):
        yield f"virtfn{number}", f"-> ../{vf}"


def _link(start: str, target: str) -> str:
    return f"-> {os.path.relpath(target, start)}"
