"""How the control groups are mounted, and where this process can make groups; cgroups(7)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from isoscope.core.host.facts import DELEGATE, NEEDED_CONTROLLERS, Cgroups, Controller, Feature, Group, Layout
from isoscope.core.host.files import read
from isoscope.core.host.scratch import new_name, sweep_groups


@dataclass(frozen=True)
class _Hierarchy:
    """A mount of a cgroup hierarchy: proc_pid_mountinfo(5)."""

    version: int
    shown: str  #: the directory of the hierarchy that is mounted
    point: Path
    options: tuple[str, ...]  #: of the superblock: a v1 hierarchy's controllers are among them


@dataclass
class _Groups:
    """Finds and tries group directories, each once."""

    root: Path
    memberships: dict[str, str]
    tried: dict[Path, Group] = field(default_factory=dict)

    def at(self, path: Path) -> Group:
        if path not in self.tried:
            self.tried[path] = Group(path, _try_making(self.root / path.relative_to("/")))
        return self.tried[path]

    def read(self, group: Group, name: str) -> str:
        return read(self.root / group.path.relative_to("/") / name)

    def own(self, hierarchy: _Hierarchy, controller: str) -> Group:
        """This process's group. Outside of what is mounted, where it cannot be named, the mount point stands in."""
        membership = self.memberships.get(controller, "/")
        relative = os.path.relpath(membership, hierarchy.shown)
        return self.at(hierarchy.point if relative.startswith("..") else hierarchy.point / relative)


def probe(root: Path) -> Cgroups:
    """Read the mounts and this process's memberships, and try to make groups. Never raises."""
    hierarchies = list(_hierarchies(root))
    groups = _Groups(root, _memberships(root))
    unified = next((hierarchy for hierarchy in hierarchies if hierarchy.version == 2), None)
    controllers = {c.name: c for h in hierarchies for c in _controllers(h, groups)}
    has_v1 = any(hierarchy.version == 1 for hierarchy in hierarchies)
    layout = {(True, True): Layout.HYBRID, (True, False): Layout.V1, (False, True): Layout.V2}.get(
        (has_v1, unified is not None), Layout.NONE
    )
    missing = tuple(name for name in NEEDED_CONTROLLERS if name not in controllers)
    reason, remedy = _why(root, layout, missing)
    return Cgroups(
        layout=layout,
        controllers=dict(sorted(controllers.items())),
        top=groups.at(unified.point) if unified else None,
        own=groups.own(unified, "") if unified else None,
        missing=missing,
        reason=reason,
        remedy=remedy,
    )


def _hierarchies(root: Path) -> Iterator[_Hierarchy]:
    """Each hierarchy at its first mount."""
    seen: set[str] = set()
    for line in read(root / "proc/self/mountinfo").splitlines():
        mount, _, filesystem = line.partition(" - ")
        fields, kind = mount.split(), filesystem.split()
        if len(fields) < 6 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2") or fields[2] in seen:
            continue
        point = Path(_unescaped(fields[4]))
        if not point.is_absolute():
            continue
        seen.add(fields[2])
        version = 2 if kind[0] == "cgroup2" else 1
        yield _Hierarchy(version, _unescaped(fields[3]), point, tuple(kind[2].split(",")))


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _memberships(root: Path) -> dict[str, str]:
    """Controller to this process's group, from /proc/self/cgroup; the v2 hierarchy's name is empty."""
    found = {}
    for line in read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon:
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _controllers(hierarchy: _Hierarchy, groups: _Groups) -> Iterator[Controller]:
    top = groups.at(hierarchy.point)
    if hierarchy.version == 1:
        for name in hierarchy.options:
            if name in groups.memberships and not name.startswith("name="):
                own = groups.own(hierarchy, name)
                yield Controller(name, 1, top, own, own.writable.available)
        return
    own = groups.own(hierarchy, "")
    available = groups.read(own, "cgroup.controllers").split()
    for name in groups.read(top, "cgroup.controllers").split():
        yield Controller(name, 2, top, own, name in available and own.writable.available)


def _try_making(directory: Path) -> Feature:
    """Make a group and remove it again."""
    sweep_groups(directory)
    group = directory / new_name()
    try:
        group.mkdir()
    except OSError as error:
        return Feature(False, f"no group can be made in {directory}: {error.strerror}", _remedy(error))
    finally:
        with suppress(OSError):
            group.rmdir()
    return Feature(True)


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return DELEGATE
    return "mount it writable: mount -o remount,rw /sys/fs/cgroup" if "Read-only" in str(error.strerror) else ""


def _why(root: Path, layout: Layout, missing: tuple[str, ...]) -> tuple[str, str]:
    """Why controllers are missing, and what gets them."""
    if layout is Layout.NONE:
        return "no cgroup hierarchy is mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
    if not missing:
        return "", ""
    enabled = {
        fields[0]: fields[3] for line in read(root / "proc/cgroups").splitlines() if (fields := line.split())[3:]
    }
    name = missing[0]
    if enabled.get(name) == "0":
        return f"controller {name} is disabled", f"boot with cgroup_enable={name} on the kernel's command line"
    if name not in enabled:
        return f"this kernel has no controller {name}", "boot a kernel that has it"
    if layout is Layout.V2:
        return f"controller {name} is not delegated here", f"systemctl set-property user-.slice Delegate={name}"
    return (
        f"controller {name} is not mounted",
        f"mkdir -p /sys/fs/cgroup/{name}; mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}",
    )
