"""From a launch to the steps of a container. Whatever a container is, is decided here."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isoscope.backends.container import storage
from isoscope.backends.container.caps import DropBoundingSet, DropCapabilities
from isoscope.backends.container.devices import OpenDevices, ShowDevices
from isoscope.backends.container.idmaps import IdMaps
from isoscope.backends.container.limits import ResourceLimits
from isoscope.backends.container.namespaces import (
    EnterNamespaces,
    EnterNetwork,
    Hostname,
    LoopbackUp,
    NewCgroupNamespace,
)
from isoscope.backends.container.network import ConnectNetwork, MakeNetworkNamespace
from isoscope.backends.container.procfs import MaskPaths, ReadOnlyPaths, maskable
from isoscope.backends.container.seccomp import Seccomp
from isoscope.backends.launcher import linux, volume
from isoscope.backends.launcher.accounts import account
from isoscope.backends.launcher.cgroups import Cgroup
from isoscope.backends.launcher.client import Phases
from isoscope.backends.launcher.mounts import (
    AttachTree,
    MakePrivate,
    MountFilesystem,
    NewTree,
    OpenTree,
    Overlay,
    PivotRoot,
)
from isoscope.backends.launcher.plan import Command, Plan
from isoscope.backends.launcher.process import (
    AwaitWord,
    Clone,
    CloseDescriptors,
    JoinCgroups,
    NewSession,
    Settled,
    SetUser,
    WorkingDirectory,
)
from isoscope.backends.launcher.step import Step
from isoscope.core.launch import Launch
from isoscope.core.workload import Network

#: Gives a network namespace its `eth0`.
Connect = Callable[[int], None]

PHASES = ("cgroup", "network", "clone", "rootfs", "exec", "ready")

# As flags of mount(2) and as attributes of fsmount(2) these are the same bits.
_SAFE = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
_RO_SAFE = _SAFE | linux.MS_RDONLY
_TTY_GROUP = 5  # group `tty` in every distribution, and what the OCI runtime specification's example has


@dataclass(frozen=True)
class Terms:
    """What a plan needs beside the launch."""

    cgroup: Cgroup
    maps: IdMaps | None  #: of the user namespace; None for root, who needs none
    seccomp: bytes
    make_network: Callable[[], int]  #: makes a network namespace
    connect: Connect | None = None
    connection: str = ""  #: what `connect` does, in words


def build(launch: Launch, terms: Terms) -> Plan:
    """The plan of a container."""
    ours: list[tuple[str, Sequence[Step]]] = [("cgroup", terms.cgroup.steps()), ("network", _network(terms))]
    theirs: list[tuple[str, Sequence[Step]]] = [
        ("clone", _enter(terms)),
        ("rootfs", _rootfs(launch, terms)),
        (
            "exec",
            [
                *_become(launch, terms, Command.of(launch), console=True),
                AwaitWord(),
                Command.of(launch).execute(launch),
            ],
        ),
    ]
    clone = Clone(namespaces(launch, terms, cloned=True), terms.cgroup.unified is not None)
    return Plan(ours, clone, theirs)


def namespaces(launch: Launch, terms: Terms, *, cloned: bool) -> tuple[str, ...]:
    """The namespaces that a container has of its own, or with `cloned` those that its clone makes."""
    names = ["CLONE_NEWNS", "CLONE_NEWPID", "CLONE_NEWUTS", "CLONE_NEWIPC"]
    if terms.maps is not None:
        names.insert(0, "CLONE_NEWUSER")
    network = launch.workload.network
    if network is Network.NONE or (network in (Network.BRIDGE, Network.VF) and not cloned):
        names.append("CLONE_NEWNET")
    if not cloned:
        names.append("CLONE_NEWCGROUP")
    return tuple(names)


def execution(launch: Launch, terms: Terms, command: Command) -> tuple[Clone, Phases]:
    """The clone and the phases of a second command in the container."""
    enter = [*_join(terms.cgroup), EnterNamespaces(namespaces(launch, terms, cloned=False))]
    become = _become(launch, terms, command, console=False)
    return Clone((), terms.cgroup.unified is not None), [("exec", [*enter, *become, command.execute(launch)])]


def _network(terms: Terms) -> list[Step]:
    if terms.connect is None:
        return []
    return [MakeNetworkNamespace(terms.make_network), ConnectNetwork(terms.connect, terms.connection)]


def _join(cgroup: Cgroup) -> list[Step]:
    return [JoinCgroups(cgroup.legacy)] if cgroup.legacy else []


def _enter(terms: Terms) -> list[Step]:
    steps: list[Step] = [] if terms.maps is None else [terms.maps.step()]
    steps += _join(terms.cgroup)
    if terms.connect is not None:
        steps.append(EnterNetwork())
    return [*steps, NewCgroupNamespace(), Settled()]


def _rootfs(launch: Launch, terms: Terms) -> list[Step]:
    taken, attached = _trees(launch)
    root = str(launch.record.directory)
    overlay = Overlay(
        source=launch.record.mark,
        layers=tuple(str(layer) for layer in launch.rootfs.layers),
        upper=str(storage.upper(launch.record.directory)),
        work=str(storage.work(launch.record.directory)),
        target=root,
        options="" if terms.maps is None else "userxattr",  # trusted.* is out of reach in a user namespace
    )
    steps: list[Step] = [MakePrivate(), OpenDevices(), NewTree("proc", "/proc", _SAFE), _sysfs(launch, terms), *taken]
    steps += [overlay, PivotRoot(root), AttachTree("/proc", follow=False), AttachTree("/sys", follow=False)]
    if terms.cgroup.unified_controllers:
        steps.append(MountFilesystem("cgroup2", "/sys/fs/cgroup", _RO_SAFE))
    steps += _dev(terms)
    steps += [MaskPaths(*maskable()), ReadOnlyPaths(), *attached]
    if launch.workload.network is Network.NONE:
        steps.append(LoopbackUp())
    return [*steps, Hostname(launch.record.name)]


def _sysfs(launch: Launch, terms: Terms) -> Step:
    if launch.workload.network is Network.HOST and terms.maps is not None:
        return OpenTree("/sys", "/sys", _RO_SAFE)  # the kernel makes one only for who owns the network namespace
    return NewTree("sysfs", "/sys", _RO_SAFE)


def _dev(terms: Terms) -> list[Step]:
    group = f",gid={_TTY_GROUP}" if terms.maps is None or terms.maps.has_gid(_TTY_GROUP) else ""
    nosuid_noexec = linux.MS_NOSUID | linux.MS_NOEXEC
    return [
        MountFilesystem("tmpfs", "/dev", _SAFE, "mode=755,size=64k"),
        ShowDevices(),
        MountFilesystem("devpts", "/dev/pts", nosuid_noexec, f"newinstance,ptmxmode=0666,mode=0620{group}"),
        MountFilesystem("tmpfs", "/dev/shm", _SAFE, "mode=1777,size=64m"),  # noqa: S108
        MountFilesystem("mqueue", "/dev/mqueue", _SAFE),
    ]


def _trees(launch: Launch) -> tuple[list[Step], list[Step]]:
    """What is taken of the host's mounts, and where it is shown."""
    wanted: list[tuple[str, str, int]] = []
    network = launch.workload.network
    if network in (Network.BRIDGE, Network.VF):
        wanted.append((str(launch.record.directory / "resolv.conf"), "/etc/resolv.conf", linux.MOUNT_ATTR_NODEV))
    if network is Network.HOST:
        read_only = linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_RDONLY
        wanted += [(path, path, read_only) for path in ("/etc/resolv.conf", "/etc/hosts") if os.path.exists(path)]
    if volume.wanted(launch):
        wanted.append((str(volume.directory(launch.record)), volume.TARGET, linux.MOUNT_ATTR_NODEV))
    # Outer ones first, or they would cover the inner ones.
    for mount in sorted(launch.workload.mounts, key=lambda mount: len(mount.target.parts)):
        attributes = linux.MOUNT_ATTR_NODEV | (linux.MOUNT_ATTR_RDONLY if mount.read_only else 0)
        wanted.append((str(mount.source), str(mount.target), attributes))
    taken = [OpenTree(source, target, attributes) for source, target, attributes in wanted]
    return list(taken), [AttachTree(target) for _, target, _ in wanted]


def _become(launch: Launch, terms: Terms, command: Command, *, console: bool) -> list[Step]:
    return [
        NewSession(),
        command.streams(console=console),
        CloseDescriptors(),
        ResourceLimits(),
        WorkingDirectory(launch.working_directory()),
        DropBoundingSet(terms.maps is None),
        SetUser(launch.rootfs.user, terms.maps is None or terms.maps.many, account(launch.rootfs)),
        DropCapabilities(),
        Seccomp(terms.seccomp),
    ]
