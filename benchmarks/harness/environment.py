"""What the host was like before and after the trials, so that figures can be judged, and compared with another's."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import sleep
from typing import Any

from isoscope.benchmarks.harness.others import others
from isoscope.benchmarks.harness.storage import chosen, storage
from isoscope.benchmarks.proc import Ticks, meminfo
from isoscope.core.lab import Lab
from isoscope.core.registry import Record

#: Share of the CPUs in use, while this process rests, above which somebody else's work is likely to be in the figures.
_BUSY = 0.2

#: Seconds over which that share is taken; the load average would still hold the making of our own images.
LOOK = 0.3

#: Share of CPU time taken away by the hypervisor above which spans are likely to be stretched.
_STOLEN = 0.01

_CPU = Path("/sys/devices/system/cpu")


def facts(lab: Lab) -> dict[str, Any]:
    """What stays: the host as probed, and how it is set up. No host name, no address."""
    return {
        "host": lab.host.as_dict(),
        "cpu": {
            "governor": _values(_CPU.glob("cpu[0-9]*/cpufreq/scaling_governor")),
            "smt": _read(_CPU / "smt/control"),
            "turbo": _turbo(),
            "mitigations": {path.name: _read(path) for path in sorted((_CPU / "vulnerabilities").glob("*"))},
        },
        "memory": {
            "transparent_hugepages": chosen(_read(Path("/sys/kernel/mm/transparent_hugepage/enabled"))),
            "ksm": _read(Path("/sys/kernel/mm/ksm/run")),
        },
        "disk": (disk := storage(lab.home)),
        "home_filesystem": disk["filesystem"],
        "namespaces": sorted(os.readlink(path) for path in Path("/proc/self/ns").iterdir() if "_for_" not in path.name),
        "versions": versions(lab),
    }


def moment(lab: Lab) -> dict[str, Any]:
    """What changes: load, memory, CPU time so far, and the instances that are there. Takes a third of a second."""
    live, dead = _instances(lab)
    return {
        "load": list(os.getloadavg()),
        "memory_available": meminfo().get("MemAvailable"),
        "busy": _busy(),
        "cpu_ticks": asdict(Ticks.now()),
        "instances": len(live),
        "leftovers": len(dead),
        **others({record.mark for record in live}),
    }


def versions(lab: Lab) -> dict[str, str]:
    """What took part, by version; empty where it is not there."""
    return {
        "isoscope": isoscope_version(),
        "python": platform.python_version(),
        "kernel": lab.host.kernel.release,
        "qemu": lab.host.qemu.version,
        "libvirt": lab.host.libvirt.version,
    }


def isoscope_version() -> str:
    """The version of the installed distribution, or `unknown` in a bare checkout."""
    try:
        return version("isoscope")
    except PackageNotFoundError:
        return "unknown"


def identity(lab: Lab) -> dict[str, Any]:
    """What must be the same for trials to stand in one run."""
    return {"cpu": lab.host.cpu.model, "logical_cpus": lab.host.cpu.logical, "kernel": lab.host.kernel.release}


def dirt(now: dict[str, Any]) -> list[str]:
    """What is on the host at this moment that may be in the figures, each as a sentence."""
    found = []
    if now["busy"] > _BUSY:
        found.append(f"the host is busy: others use {now['busy']:.0%} of its CPUs")
    if now["instances"]:
        found.append(f"{now['instances']} other instance(s) of isoscope are here: isoscope ps lists them")
    if now["machines"]:
        found.append(f"{now['machines']} virtual machine(s) of others run here")
    if now["containers"]:
        found.append(f"{now['containers']} other PID namespace(s) are in use: containers or sandboxes of others")
    if now["leftovers"]:
        found.append(f"{now['leftovers']} instance(s) of a killed isoscope are left over: isoscope gc removes them")
    return found


def stolen(before: dict[str, Any], after: dict[str, Any]) -> float | None:
    """The share of CPU time that the hypervisor took away between two moments: proc_stat(5), field `steal`."""
    total = after["cpu_ticks"]["total"] - before["cpu_ticks"]["total"]
    return (after["cpu_ticks"]["steal"] - before["cpu_ticks"]["steal"]) / total if total > 0 else None


def theft(share: float | None) -> list[str]:
    """A sentence when much was stolen."""
    if share is None or share <= _STOLEN:
        return []
    return [f"the hypervisor took away {share:.1%} of the CPU time during the trials"]


def _instances(lab: Lab) -> tuple[list[Record], list[Record]]:
    """The instances of others: those whose owner lives, and those that a dead one left behind."""
    live: list[Record] = []
    dead: list[Record] = []
    for record in lab.registry:
        if record.exit is None:
            (live if record.owner.alive() else dead).append(record)
    return live, dead


def _busy() -> float:
    """The share of the CPUs that is in use while this process rests."""
    before = Ticks.now()
    sleep(LOOK)
    idle = (Ticks.now() - before).idle_share
    return 0.0 if idle is None else 1 - idle


def _turbo() -> bool | None:
    if (off := _read(_CPU / "intel_pstate/no_turbo")) is not None:
        return off == "0"
    if (on := _read(_CPU / "cpufreq/boost")) is not None:
        return on == "1"
    return None


def _values(paths: Iterable[Path]) -> list[str]:
    return sorted({value for path in paths if (value := _read(path)) is not None})


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
