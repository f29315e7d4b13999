"""The bundle: a config.json of the OCI runtime specification, on the terms that a container of ours has.

Source: github.com/opencontainers/runtime-spec, config.md and config-linux.md, version 1.0.2.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoscope.backends.container import limits
from isoscope.backends.container.caps import DOCKER_DEFAULT
from isoscope.backends.container.procfs import MASKED, READ_ONLY
from isoscope.backends.launcher import volume
from isoscope.backends.launcher.accounts import account
from isoscope.backends.launcher.cgroups import FOLDER, Cgroup, read
from isoscope.backends.launcher.users import UnknownUser
from isoscope.backends.peer.bridge import resolv_conf
from isoscope.core.errors import HostError, ImageError, Unsupported
from isoscope.core.launch import Launch
from isoscope.core.workload import Network, Resources

VERSION = "1.0.2"

_PERIOD = 100_000  # µs, as our own containers have it
_INFINITE = 1 << 64  # RLIM_INFINITY is -1 in Python, and without a sign in the specification
_SAFE = ["nosuid", "noexec", "nodev"]


@dataclass(frozen=True)
class Bundle:
    """The directory of one instance's bundle, with the runtime's own state beside it."""

    directory: Path

    @property
    def state(self) -> Path:
        """What the runtime takes as its `--root`."""
        return self.directory / "state"

    @property
    def pid_file(self) -> Path:
        """Where the runtime writes the workload's first process."""
        return self.directory / "pid"

    def pid(self) -> int:
        """What stands there. Raises OSError or ValueError."""
        return int(read(self.pid_file))

    def write(self, specified: Mapping[str, Any]) -> None:
        """Make it. Raises HostError."""
        try:
            self.directory.mkdir()
            self.state.mkdir()
            (self.directory / "config.json").write_text(json.dumps(specified))
        except OSError as error:
            raise HostError(f"cannot write {self.directory}: {error.strerror}", hint="free some space") from error


def refuse_bytes(launch: Launch) -> None:
    """Raise Unsupported for words and variables that are no UTF-8: the bundle is JSON, which cannot hold them."""
    for text in (*launch.workload.command, launch.working_directory(), *map("=".join, launch.environment().items())):
        refuse_bytes_in(text)


def refuse_bytes_in(text: str) -> None:
    """Raise Unsupported for a text that is no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unsupported(
            f"an OCI runtime cannot be given {text[:80]!r}: it is no UTF-8", hint="take another backend, or other words"
        ) from None


def config(
    launch: Launch, tree: Path, cgroup: Cgroup, seccomp: Mapping[str, Any], network: str | None
) -> dict[str, Any]:
    """The whole config.json; `network` is the path of a network namespace to join, where one was made before.

    Raises ImageError.
    """
    return {
        "ociVersion": VERSION,
        "process": process(launch, launch.workload.command, terminal=launch.workload.terminal),
        "root": {"path": str(tree), "readonly": False},
        "hostname": launch.record.name,
        "mounts": [*_kernels(cgroup), *_hosts(launch)],
        "linux": {
            "namespaces": _namespaces(launch, network),
            "cgroupsPath": f"/{FOLDER}/{launch.record.mark}",
            "resources": _resources(launch.workload.resources, cgroup),
            "seccomp": dict(seccomp),
            "maskedPaths": [path for path in MASKED if os.path.exists(path)],
            "readonlyPaths": [path for path in READ_ONLY if os.path.exists(path)],
        },
    }


def process(launch: Launch, command: tuple[str, ...], *, terminal: bool) -> dict[str, Any]:
    """A process of it, the workload's or a second one. Raises ImageError, and Unsupported for what is no UTF-8."""
    for word in command:
        refuse_bytes_in(word)
    uid, gid, groups, home = _user(launch)
    environment = {"HOME": home, **({"TERM": "xterm"} if terminal else {}), **launch.environment()}
    kept = list(DOCKER_DEFAULT)
    return {
        "terminal": terminal,
        "user": {"uid": uid, "gid": gid, "umask": 0o022, "additionalGids": list(groups)},
        "args": list(command),
        "env": [f"{name}={value}" for name, value in environment.items()],
        "cwd": launch.working_directory(),
        "capabilities": {"bounding": kept, "effective": kept, "permitted": kept},
        "rlimits": [
            {"type": name, "soft": soft % _INFINITE, "hard": hard % _INFINITE}
            for name, (soft, hard) in limits.defaults().items()
        ],
        "noNewPrivileges": True,
    }


def _user(launch: Launch) -> tuple[int, int, tuple[int, ...], str]:
    try:
        found = account(launch.rootfs)
    except UnknownUser as error:
        raise ImageError(str(error.strerror)) from error
    if found is None and launch.rootfs.user in ("", "0"):
        return 0, 0, (), "/"
    if found is None:
        raise ImageError(
            f"the image's user {launch.rootfs.user!r} cannot be looked up without running it",
            hint="a runtime wants numbers: give the image a user by number, or take backend container",
        )
    return found


def _namespaces(launch: Launch, network: str | None) -> list[dict[str, str]]:
    wanted = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "cgroup")]
    if network is not None:
        wanted.append({"type": "network", "path": network})
    elif launch.workload.network is Network.NONE:
        wanted.append({"type": "network"})
    return wanted


def _mount(kind: str, target: str, *options: str, source: str = "") -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source or kind, "options": list(options)}


def _kernels(cgroup: Cgroup) -> list[dict[str, Any]]:
    mounts = [
        _mount("proc", "/proc", *_SAFE),
        _mount("sysfs", "/sys", *_SAFE, "ro"),
        _mount("tmpfs", "/dev", "nosuid", "noexec", "mode=755", "size=64k"),
        _mount("devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
        _mount("tmpfs", "/dev/shm", *_SAFE, "mode=1777", "size=64m", source="shm"),  # noqa: S108
        _mount("mqueue", "/dev/mqueue", *_SAFE),
    ]
    if cgroup.unified_controllers:
        mounts.insert(2, _mount("cgroup", "/sys/fs/cgroup", *_SAFE, "relatime", "ro"))
    return mounts


def _hosts(launch: Launch) -> list[dict[str, Any]]:
    """What is shown of the host."""
    record, shown = launch.record, []
    network = launch.workload.network
    if network is Network.BRIDGE:
        shown.append(_bind(str(resolv_conf(launch)), "/etc/resolv.conf", read_only=False))
    if network is Network.HOST:
        files = (path for path in ("/etc/resolv.conf", "/etc/hosts") if os.path.exists(path))
        shown += [_bind(path, path, read_only=True) for path in files]
    if volume.wanted(launch):
        shown.append(_bind(str(volume.directory(record)), volume.TARGET, read_only=False))
    # Outer ones first, or they would cover the inner ones.
    for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts)):
        shown.append(_bind(str(mount.source), str(mount.target), read_only=mount.read_only))
    return shown


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    return _mount("bind", target, "rbind", "nodev", "ro" if read_only else "rw", source=source)


def _resources(wanted: Resources, cgroup: Cgroup) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    if wanted.cpus is not None:
        resources["cpu"] = {"quota": max(int(wanted.cpus * _PERIOD), 1000), "period": _PERIOD}
    if wanted.memory is not None:
        resources["memory"] = {"limit": wanted.memory}
        if cgroup.limits_swap():
            resources["memory"]["swap"] = wanted.memory  # memory and swap together, so none of the latter
    if wanted.pids is not None:
        resources["pids"] = {"limit": wanted.pids}
    return resources
