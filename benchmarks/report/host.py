"""The host's facts as a report tells them: what bears on the figures, and nothing that names the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isoscope.benchmarks.harness.environment import stolen
from isoscope.core.units import format_size


def host_facts(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and value of each fact; what the run does not know is left out."""
    if not environment:
        return []
    host = environment.get("host")
    before, after = environment.get("before") or {}, environment.get("after") or {}
    facts = {
        "CPU": _of(host, "cpu", "model"),
        "hardware threads": _of(host, "cpu", "logical"),
        "SMT": _of(environment, "cpu", "smt") or _smt(host),
        "frequency governor": ", ".join(_of(environment, "cpu", "governor") or ()) or "not exposed",
        "turbo": {True: "on", False: "off", None: "not exposed"}[_of(environment, "cpu", "turbo")],
        "mitigations": _mitigations(_of(environment, "cpu", "mitigations") or {}),
        "virtual machine itself": _yes(_of(host, "virtualized", "nested")),
        "memory": _size(_of(host, "memory", "total")),
        "transparent huge pages": _of(environment, "memory", "transparent_hugepages"),
        "KSM": {"0": "off", "1": "on"}.get(ksm := _of(environment, "memory", "ksm"), ksm),
        "distribution": _of(host, "distribution", "name"),
        "KVM": _of(host, "kvm", "status"),
        "KVM is that because": _of(host, "kvm", "reason"),
        "cgroups": _of(host, "cgroups", "layout"),
        "file system of the state directory": environment.get("home_filesystem"),
        "its mount options": _of(environment, "disk", "options"),
        "its disk": _disk(environment.get("disk")),
        **{name: text or "absent" for name, text in (environment.get("versions") or {}).items()},
        "load before": _load(before),
        "load after": _load(after),
        "CPUs in use by others before": _share(before.get("busy")),
        "CPUs in use by others after": _share(after.get("busy")),
        "CPU time taken away by the hypervisor": _share(stolen(before, after) if before and after else None),
        "memory available before": _size(before.get("memory_available")),
        "memory available after": _size(after.get("memory_available")),
    }
    return [(name, str(value)) for name, value in facts.items() if value not in (None, "")]


def glance(environment: dict[str, Any]) -> str:
    """The host in a line; empty when the run does not know."""
    if not environment:
        return ""
    host = environment.get("host")
    threads, size = _of(host, "cpu", "logical"), _size(_of(host, "memory", "total"))
    facts = (
        _of(host, "cpu", "model"),
        threads and f"{threads} hardware threads",
        size and f"{size} of memory",
        f"kernel {_of(environment, 'versions', 'kernel') or 'unknown'}",
        "itself a virtual machine" if _of(host, "virtualized", "nested") else None,
    )
    return ", ".join(str(fact) for fact in facts if fact)


def _of(data: Any, *path: str) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, Mapping) else None
    return data


def _smt(host: Any) -> str | None:
    cores, logical = _of(host, "cpu", "cores"), _of(host, "cpu", "logical")
    return _yes(logical > cores) if cores and logical else None


def _mitigations(found: dict[str, str | None]) -> str:
    """Those that cost something: what is not affected is not told."""
    return "; ".join(f"{name}: {text}" for name, text in found.items() if text and text != "Not affected")


def _disk(found: Any) -> str | None:
    """The disk below the state directory in a line."""
    if not isinstance(found, Mapping) or not found.get("device"):
        return None
    kind = {True: "rotational", False: "not rotational", None: None}[found.get("rotational")]
    scheduler, cache = found.get("scheduler"), found.get("write_cache")
    facts = (found["device"], found.get("model"), kind, scheduler and f"scheduler {scheduler}", cache)
    return ", ".join(str(fact) for fact in facts if fact)


def _yes(value: bool | None) -> str | None:
    return {True: "yes", False: "no", None: None}[value]


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.2%}"


def _size(value: int | None) -> str | None:
    return None if value is None else format_size(value)


def _load(moment: dict[str, Any]) -> str | None:
    return " ".join(f"{value:.2f}" for value in moment["load"]) if "load" in moment else None
