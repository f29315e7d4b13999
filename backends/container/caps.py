"""What root inside may still do: capabilities(7), in Docker's default set."""

from __future__ import annotations

import errno

from isoscope.backends.container import once
from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step

#: Numbers of linux/capability.h.
DOCKER_DEFAULT = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_FOWNER": 3,
    "CAP_FSETID": 4,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_SETPCAP": 8,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_RAW": 13,
    "CAP_SYS_CHROOT": 18,
    "CAP_MKNOD": 27,
    "CAP_AUDIT_WRITE": 29,
    "CAP_SETFCAP": 31,
}

_KEPT = frozenset(DOCKER_DEFAULT.values())
_MASK = sum(1 << number for number in _KEPT)


class DropBoundingSet(Step):
    """Let no program that is executed from now on gain any other capability."""

    inherited: bool  #: whether what the launcher did for itself holds here, too: not in a new user namespace

    def describe(self) -> str:
        return f"prctl PR_CAPBSET_DROP all but {', '.join(DOCKER_DEFAULT)}"

    def execute(self, scene: Scene) -> None:
        if not (self.inherited and once.done(drop_bounding_set)):
            drop_bounding_set()


def drop_bounding_set() -> None:
    """Drop all but Docker's default set from the bounding set. Raises OSError."""
    for number in range(64):
        if number in _KEPT:
            continue
        try:
            syscalls.prctl(linux.PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return  # the kernel has no capability of that number, nor of a higher one


class DropCapabilities(Step):
    """Give up the other capabilities, and the ways to new ones. After `SetUser`, which needs some of them."""

    def describe(self) -> str:
        return "capset to the bounding set, none inheritable; PR_CAP_AMBIENT_CLEAR_ALL; PR_SET_NO_NEW_PRIVS"

    def execute(self, scene: Scene) -> None:
        mask = 0 if scene.uid else _MASK  # setresuid(2) from root to another user has cleared them all
        syscalls.capset(mask, mask, 0)
        syscalls.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL)
        syscalls.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
