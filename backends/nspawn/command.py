"""The command line of systemd-nspawn(1) for a launch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from isoscope.backends.launcher import volume
from isoscope.backends.launcher.accounts import account
from isoscope.backends.peer.bridge import resolv_conf
from isoscope.core.errors import Unsupported
from isoscope.core.launch import Launch
from isoscope.core.workload import Network

#: What holds for every container, whatever it runs.
TERMS = (
    "--quiet",
    "--settings=no",  # no file beside the tree changes the terms
    "--register=no",  # there may be no systemd here, and what it would do is not the container's start
    "--keep-unit",
    "--link-journal=no",
    "--timezone=off",
    "--resolv-conf=off",
)

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESOLV_CONF = "/etc/resolv.conf"


def words(launch: Launch, program: str, root: Path, netns: str = "") -> tuple[str, ...]:
    """The words of the command. `netns` is the path of a network namespace that is ready, where there is one.

    Raises Unsupported for what systemd-nspawn has no words for.
    """
    return (
        program,
        *TERMS,
        f"--console={'interactive' if launch.workload.terminal else 'pipe'}",
        f"--machine={launch.record.mark}",
        f"--directory={root}",
        f"--chdir={launch.working_directory()}",
        *_network(launch, netns),
        *_user(launch),
        *_mounts(launch),
        *(f"--setenv={name}={value}" for name, value in _environment(launch)),
        "--",
        *launch.workload.command,
    )


def environment(*, unified: bool) -> dict[str, str]:
    """What systemd-nspawn itself runs with; nothing of it is the command's. `unified`: whether version 2 is mounted."""
    # In an image without systemd it sees one that knows version 1 alone. Where the host has version 2 alone, it would
    # make a hierarchy of version 1 for it, on the host, with cgroups that nobody removes.
    version = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"} if unified else {}
    return {
        **version,
        "PATH": os.environ.get("PATH", os.defpath),
        "SYSTEMD_LOG_TARGET": "console",  # that is: the standard error
        "SYSTEMD_LOG_LEVEL": "err",
        "SYSTEMD_LOG_COLOR": "0",
        # The tree is this instance's alone, and locks would stay in /run after a SIGKILL.
        "SYSTEMD_NSPAWN_LOCK": "0",
    }


def _network(launch: Launch, netns: str) -> Iterator[str]:
    network = launch.workload.network
    if network is Network.NONE:
        yield "--private-network"
    elif network is Network.BRIDGE:
        yield f"--network-namespace-path={netns}"
        yield f"--bind-ro={_escaped(str(resolv_conf(launch)))}:{_RESOLV_CONF}"
    elif os.path.exists(_RESOLV_CONF):
        yield f"--bind-ro={_RESOLV_CONF}"


def _user(launch: Launch) -> Iterator[str]:
    text = launch.rootfs.user
    known = account(launch.rootfs)
    if not text or (known is not None and known[:2] == (0, 0)):
        return
    user, colon, _ = text.partition(":")
    if colon:
        raise Unsupported(
            f"the image's user {text!r} names a group, and systemd-nspawn takes a user alone",
            hint="use another backend, or an image whose user has that group in its /etc/passwd",
        )
    yield f"--user={user}"


def _mounts(launch: Launch) -> Iterator[str]:
    if volume.wanted(launch):
        yield f"--bind={_escaped(str(volume.directory(launch.record)))}:{volume.TARGET}"
    for mount in launch.workload.mounts:  # sorted by systemd-nspawn itself: outer ones come first
        option = "--bind-ro" if mount.read_only else "--bind"
        yield f"{option}={_escaped(str(mount.source))}:{_escaped(str(mount.target))}"


def _escaped(path: str) -> str:
    """A path in which no colon ends it."""
    return path.replace("\\", "\\\\").replace(":", "\\:")


def _environment(launch: Launch) -> Iterator[tuple[str, str]]:
    terminal = {"TERM": "xterm"} if launch.workload.terminal else {}
    for name, value in {**terminal, **launch.environment()}.items():
        if not _VARIABLE.fullmatch(name):
            raise Unsupported(
                f"systemd-nspawn takes no variable of the name {name!r}",
                hint="its names are of letters, digits and '_'; leave it out",
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Unsupported(
                f"variable {name!r} is not UTF-8, and systemd-nspawn takes no other", hint="leave it out, or encode it"
            ) from None
        yield name, value
