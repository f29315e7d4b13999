"""Namespaces, overlayfs and seccomp: tried in children, which take what they made with them when they end."""

from __future__ import annotations

import errno
import sys
from collections.abc import Mapping
from pathlib import Path

from isoscope.core.host.child import Answer, ask
from isoscope.core.host.facts import Feature, Overlay
from isoscope.core.host.files import read
from isoscope.core.host.outcome import DEADLINE_S, failed_with, feature
from isoscope.core.host.scratch import scratch

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")

_NO_SPACE = "sysctl -w user.max_{kind}_namespaces=10000"


def namespaces() -> Mapping[str, Feature]:
    """Each kind of namespace, by its name in /proc/PID/ns. Never raises."""
    answer = ask("namespaces", *NAMESPACES, deadline_s=DEADLINE_S)
    return {kind: feature(answer, kind, remedies={errno.ENOSPC: _NO_SPACE.format(kind=kind)}) for kind in NAMESPACES}


def user_namespaces(root: Path) -> Feature:
    """A user namespace made without privileges, in which this process is root. Never raises."""
    return judge_user(ask("user", deadline_s=DEADLINE_S), root)


def judge_user(answer: Answer, root: Path) -> Feature:
    """What an attempt tells, explained by the settings below `root/proc/sys`."""
    found = feature(answer, "unshare", "map", "use")
    if found.available or answer.trouble:
        return found
    settings = root / "proc/sys"
    if failed_with(answer, "unshare") == errno.ENOSPC or read(settings / "user/max_user_namespaces") == "0":
        return Feature(False, "user.max_user_namespaces allows no more user namespaces", _NO_SPACE.format(kind="user"))
    if read(settings / "kernel/unprivileged_userns_clone") == "0":
        return Feature(
            False,
            "kernel.unprivileged_userns_clone=0 forbids them to users other than root",
            "run as root, or allow them to everybody: sysctl -w kernel.unprivileged_userns_clone=1",
        )
    if read(settings / "kernel/apparmor_restrict_unprivileged_userns") == "1":
        return Feature(
            False,
            f"AppArmor allows them only to programs whose profile says so ({found.reason})",
            f"run as root, or {_apparmor_profile()}; to allow them to every program, which opens the kernel to all of "
            "them: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return found


def _apparmor_profile() -> str:
    """The command that allows user namespaces to this interpreter alone."""
    program = Path(sys.executable).resolve()
    profile = f"abi <abi/4.0>, profile isoscope {program} flags=(unconfined) {{ userns, }}"
    path = "/etc/apparmor.d/isoscope"
    return f"allow {program} alone: echo '{profile}' >{path} && apparmor_parser -r {path}"


def overlayfs(home: Path) -> Overlay:
    """Overlayfs with its layers in the state directory, where those of instances will be. Never raises."""
    return Overlay(privileged=_overlay(home, "root"), user_namespace=_overlay(home, "user"))


def _overlay(home: Path, mode: str) -> Feature:
    elsewhere = f"set ISOSCOPE_HOME to a directory on ext4, xfs or btrfs: {home} is on a filesystem that cannot hold it"
    try:
        with scratch(home) as directory:
            answer = ask("overlay", str(directory), mode, deadline_s=DEADLINE_S)
    except OSError as error:
        return Feature(
            False, f"{home} cannot be written: {error.strerror}", "set ISOSCOPE_HOME to a directory of yours"
        )
    remedies = {errno.ENODEV: "modprobe overlay", errno.EINVAL: elsewhere, errno.EOPNOTSUPP: elsewhere}
    return feature(answer, "namespace", "mount", "use", remedies=remedies)


def seccomp() -> Feature:
    """A seccomp filter that was installed and obeyed. Never raises."""
    return feature(ask("seccomp", deadline_s=DEADLINE_S), "install", "obey")
