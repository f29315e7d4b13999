"""The configuration of a container for lxc-start(1), as lxc.container.conf(5) has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from isoscope.backends.launcher import volume
from isoscope.backends.launcher.accounts import account
from isoscope.backends.lxc.groups import Groups
from isoscope.backends.peer.bridge import resolv_conf
from isoscope.core.errors import InputError, Unsupported
from isoscope.core.launch import Launch
from isoscope.core.workload import Mount, Network

#: LXC's own terms for all containers: capabilities, devices, system calls, /proc and /sys.
COMMON = Path("/usr/share/lxc/config/common.conf")


def terms(name: str, root: Path, groups: Groups) -> list[str]:
    """The lines that hold for every container, whatever it runs."""
    return [
        f"lxc.include = {COMMON}",
        f"lxc.uts.name = {name}",
        f"lxc.rootfs.path = dir:{root}",
        "lxc.apparmor.profile = unconfined",
        "lxc.console.path = none",  # the command keeps the pipes that it is given
        "lxc.tty.max = 0",
        *(f"lxc.cgroup.dir.{whose} = {directory}" for whose, directory in groups.terms()),
    ]


def text(launch: Launch, root: Path, groups: Groups, netns: str) -> str:
    """The file. `netns` is the path of a network namespace that is ready, or empty. Raises InputError."""
    lines = [
        *terms(launch.record.mark, root, groups),
        *groups.limits(launch.workload.resources),
        *_network(launch, netns),
        f"lxc.init.cwd = {launch.working_directory()}",
        *_user(launch),
        *_mounts(launch),
        *(f"lxc.environment = {variable}" for variable in _variables(launch) if "\n" not in variable),
    ]
    if broken := next((line for line in lines if "\n" in line), None):
        key, _, value = broken.partition(" = ")
        raise InputError(f"LXC cannot take a line break in {key}: {value!r}", hint="choose another path")
    return "".join(f"{line}\n" for line in lines)


def definitions(launch: Launch) -> list[str]:
    """What a line of the file cannot hold, as options of lxc-start: variables with a line break in them."""
    return [
        word for variable in _variables(launch) if "\n" in variable for word in ("-s", f"lxc.environment={variable}")
    ]


def targets(launch: Launch) -> list[str]:
    """Where it is told to show something, and makes what is missing."""
    shown = [str(mount.target) for mount in _shown(launch)]
    return shown if launch.workload.network is Network.NONE else ["/etc/resolv.conf", *shown]


def _variables(launch: Launch) -> Iterator[str]:
    for name, value in launch.environment().items():
        if value != value.rstrip(" \t\n\r\v\f"):
            raise Unsupported(
                f"LXC takes the white space away that variable {name!r} ends with", hint="end it with something else"
            )
        yield f"{name}={value}"


def _network(launch: Launch, netns: str) -> Iterator[str]:
    network = launch.workload.network
    if network is Network.BRIDGE:
        yield f"lxc.namespace.share.net = {netns}"
        yield f"lxc.mount.entry = {_escaped(str(resolv_conf(launch)))} {_RESOLV_CONF}"
        return
    yield f"lxc.net.0.type = {'empty' if network is Network.NONE else 'none'}"
    if network is Network.HOST and Path("/etc/resolv.conf").exists():
        yield f"lxc.mount.entry = /etc/resolv.conf {_RESOLV_CONF}"


_RESOLV_CONF = "etc/resolv.conf none bind,ro,create=file 0 0"


def _user(launch: Launch) -> Iterator[str]:
    if not launch.rootfs.user:
        return
    known = account(launch.rootfs)
    if known is None:
        raise InputError(
            f"LXC takes numbers for users, and {launch.rootfs.user!r} cannot be looked up in the image's /etc/passwd",
            hint="give the image a user by number",
        )
    uid, gid, groups, _ = known
    yield f"lxc.init.uid = {uid}"
    yield f"lxc.init.gid = {gid}"
    if groups:
        yield f"lxc.init.groups = {','.join(map(str, groups))}"


def _shown(launch: Launch) -> list[Mount]:
    shown = list(launch.workload.mounts)
    if volume.wanted(launch):
        shown.append(Mount(volume.directory(launch.record), PurePosixPath(volume.TARGET)))
    # Outer ones first, or they would cover the inner ones.
    return sorted(shown, key=lambda mount: len(mount.target.parts))


def _mounts(launch: Launch) -> Iterator[str]:
    for mount in _shown(launch):
        kind = "dir" if mount.source.is_dir() else "file"
        access = "ro" if mount.read_only else "rw"
        target = str(mount.target).lstrip("/")
        yield f"lxc.mount.entry = {_escaped(str(mount.source))} {_escaped(target)} none bind,{access},create={kind} 0 0"


def _escaped(path: str) -> str:
    """A field of fstab(5)."""
    return "".join(f"\\{ord(letter):03o}" if letter in " \t\n\\#" else letter for letter in path)
