"""Makes a user namespace without privileges, and does in it what only root may."""

from __future__ import annotations

import os
from pathlib import Path

from isoscope.core.host.probes import libc
from isoscope.core.host.probes.report import attempt, say

_NOBODY = 65534
_PR_SET_DUMPABLE = 4


def main(_: list[str]) -> None:
    """Say as which `user`, and what becomes of `unshare`, `map` and `use`, up to the first that fails."""
    if os.geteuid() == 0:
        _become_nobody()
    uid, gid = os.geteuid(), os.getegid()
    say(user=uid)
    if not attempt("unshare", libc.unshare, libc.CLONE_NEW["user"]) or not attempt("map", map_root, uid, gid):
        return
    attempt("use", _use)


def map_root(uid: int, gid: int) -> None:
    """Map root of this process's user namespace to one user and group outside; user_namespaces(7)."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def enter(kinds: tuple[str, ...]) -> None:
    """Leave this process's namespaces of some kinds, through a user namespace when there are no privileges."""
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0 and "user" not in kinds:
        kinds = ("user", *kinds)
    libc.unshare(sum(libc.CLONE_NEW[kind] for kind in kinds))
    if "user" in kinds:
        map_root(uid, gid)


def _become_nobody() -> None:
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    # The kernel takes both away from a process that changes its user.
    libc.prctl(_PR_SET_DUMPABLE, 1)
    libc.die_with_parent()


def _use() -> None:
    # AppArmor may grant the namespace and withhold its capabilities.
    libc.unshare(libc.CLONE_NEW["mnt"])
    libc.mount("none", "/", "", libc.MS_REC | libc.MS_PRIVATE)
    libc.mount("isoscope-probe", "/proc", "tmpfs")
