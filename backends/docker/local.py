"""What this host's kernel says of a container, where the engine is this host's own."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from isoscope.backends.launcher.evidence import evidence, parent
from isoscope.backends.network.apart import apart
from isoscope.core.errors import Unsupported

_SHIM = "containerd-shim"  #: begins the names of the processes of which each container has one


def proof(pid: int, container: str) -> dict[str, str]:
    """Its first process's cgroup and namespaces; nothing once it has ended, or where it is another host's."""
    shown = evidence(pid)
    del shown["kernel"]  # which need not be the container's
    return shown if container in shown.get("cgroup", "") else {}


def processes(pid: int, container: str) -> tuple[int, ...]:
    """Every process in the container's cgroup, and the shim that holds it.

    Raises Unsupported when the container is not this host's.
    """
    directory = cgroup(pid, container)
    if directory is None:
        raise Unsupported("only an engine of this very host tells which processes are a container's")
    found = [int(line) for path in _trees(directory) for line in (path / "cgroup.procs").read_text().split()]
    shims = {shim for process in found if (shim := parent(process)) and _comm(shim).startswith(_SHIM)}
    return (*sorted(shims), *found)


def cgroup(pid: int, container: str) -> Path | None:
    """A cgroup that holds all of a container's processes; None when it is not this host's."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if container not in path:
                continue
            for folder in (*controllers.split(","), "unified"):
                directory = Path("/sys/fs/cgroup") / folder / path.lstrip("/")
                if str(pid) in _listed(directory):
                    return directory
    return None


def holds(pid: int, container: str) -> bool:
    """Whether a process of this host is in a container's cgroup."""
    with suppress(OSError):
        return container in Path(f"/proc/{pid}/cgroup").read_text()
    return False


def _listed(directory: Path) -> list[str]:
    with suppress(OSError):
        return (directory / "cgroup.procs").read_text().split()
    return []


def _trees(directory: Path) -> list[Path]:
    return [directory, *(Path(path) / name for path, names, _ in os.walk(directory) for name in names)]


def _comm(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


@apart
def device_with(address: str) -> str:
    """The network device of this host that has an IPv4 address; empty for none."""
    from pyroute2 import IPRoute

    if not address:
        return ""
    with IPRoute() as route:
        found = route.get_addr(address=address)
        return str(route.get_links(found[0]["index"])[0].get_attr("IFLA_IFNAME")) if found else ""
