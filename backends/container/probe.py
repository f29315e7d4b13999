"""Whether containers can be made here, found out by making most of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from isoscope.backends.container.idmaps import IdMaps
from isoscope.backends.container.namespaces import NewCgroupNamespace
from isoscope.backends.launcher import linux
from isoscope.backends.launcher.client import Launcher, Request
from isoscope.backends.launcher.mounts import MakePrivate, MountFilesystem, NewTree, OpenTree
from isoscope.backends.launcher.process import Clone, Finish
from isoscope.core.backend import Lack
from isoscope.core.errors import IsoscopeError

_NAMESPACES = ("CLONE_NEWNS", "CLONE_NEWPID", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWNET")
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")


def lacks(launcher: Launcher, maps: IdMaps | None) -> list[Lack]:
    """What is missing here. Clones a process with every namespace, mounts what a container mounts, and lets it end."""
    if b"\toverlay\n" not in Path("/proc/filesystems").read_bytes():
        return [Lack("the kernel has no overlayfs", "modprobe overlay")]
    names = _NAMESPACES if maps is None else ("CLONE_NEWUSER", *_NAMESPACES)
    steps = [] if maps is None else [maps.step()]
    steps += [
        NewCgroupNamespace(),
        MakePrivate(),
        NewTree("proc", "/proc", linux.MOUNT_ATTR_NOSUID),
        NewTree("sysfs", "/sys", linux.MOUNT_ATTR_NOSUID),
        OpenTree("/proc", "/proc", linux.MOUNT_ATTR_RDONLY),
        MountFilesystem("tmpfs", "/proc", linux.MS_NOSUID),
        Finish(),
    ]
    try:
        request = Request(Clone(names), [("probe", steps)], ("probe",))
        started = launcher.launch(request, {}, on_cloned=maps.write if maps and maps.many else None)
    except IsoscopeError as error:
        return [Lack(error.message, _remedy(maps))]
    os.waitid(os.P_PIDFD, started.pidfd, os.WEXITED)
    os.close(started.pidfd)
    return []


def _remedy(maps: IdMaps | None) -> str:
    if maps is None:
        return "run as root of the host, not of a container: it takes CAP_SYS_ADMIN"
    if _APPARMOR.exists() and _APPARMOR.read_text().strip() == "1":
        return (
            "AppArmor keeps users from user namespaces here: run as root, or allow them to this Python alone by a "
            "profile with `userns,` in /etc/apparmor.d "
            "(ubuntu.com/blog/ubuntu-23-10-restricted-unprivileged-user-namespaces); "
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0 would allow them to everything"
        )
    return "run as root, or allow user namespaces: sysctl user.max_user_namespaces=10000"


def marked_processes(mark: str) -> Iterator[int]:
    """A pidfd of every process that has the overlay of an instance as its root: what a lost owner left running.

    They are found without any cgroup, as is needed for users to whom none is delegated.
    """
    wanted = f" - overlay {mark} ".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            pidfd = os.pidfd_open(int(entry.name))
        except OSError:
            continue
        try:
            found = wanted in (entry / "mountinfo").read_bytes()
        except OSError:  # it has ended, or is another user's
            found = False
        if found:
            yield pidfd
        else:
            os.close(pidfd)
