"""Steps about namespaces(7)."""

from __future__ import annotations

import _socket
import os

from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.launcher.step import Scene, Step

_PR_SET_DUMPABLE = 4  # linux/prctl.h


class WriteMaps(Step):
    """Map root to one user and group outside, as an unprivileged process may do by itself; user_namespaces(7)."""

    uid: int
    gid: int

    def describe(self) -> str:
        return f"write 'deny' to setgroups, '0 {self.uid} 1' to uid_map, '0 {self.gid} 1' to gid_map"

    def execute(self, scene: Scene) -> None:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {self.uid} 1"), ("gid_map", f"0 {self.gid} 1")):
            fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, text.encode())
            finally:
                os.close(fd)


class AwaitMaps(Step):
    """Wait until newuidmap(1) and newgidmap(1) have mapped the ranges of subuid(5) and subgid(5); be root inside."""

    uid_ranges: tuple[tuple[int, int, int], ...]  #: inside, outside, length
    gid_ranges: tuple[tuple[int, int, int], ...]

    def describe(self) -> str:
        uids, gids = (" ".join(f"{a} {b} {n}" for a, b, n in ranges) for ranges in (self.uid_ranges, self.gid_ranges))
        return f"newuidmap {uids}, newgidmap {gids}, setresgid and setresuid 0"

    def execute(self, scene: Scene) -> None:
        scene.await_word()
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)


class NewCgroupNamespace(Step):
    """See one's own cgroups as the roots; after joining them, since the namespace is rooted where it is made."""

    def describe(self) -> str:
        return "unshare CLONE_NEWCGROUP"

    def execute(self, scene: Scene) -> None:
        syscalls.unshare(linux.CLONE_NEWCGROUP)


class EnterNetwork(Step):
    """Enter the network namespace that was made and connected before."""

    def describe(self) -> str:
        return "setns CLONE_NEWNET"

    def execute(self, scene: Scene) -> None:
        syscalls.setns(scene.fds["netns"], linux.CLONE_NEWNET)


class LoopbackUp(Step):
    """Bring up `lo`; netdevice(7)."""

    def describe(self) -> str:
        return "ioctl SIOCSIFFLAGS lo IFF_UP"

    def execute(self, scene: Scene) -> None:
        sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC, 0)
        try:
            flags = linux.IFF_UP.to_bytes(2, "little")
            syscalls.ioctl(sock.fileno(), linux.SIOCSIFFLAGS, b"lo".ljust(16, b"\0") + flags.ljust(24, b"\0"))
        finally:
            sock.close()


class Hostname(Step):
    """Name the host inside."""

    name: str

    def describe(self) -> str:
        return f"sethostname {self.name}"

    def execute(self, scene: Scene) -> None:
        syscalls.sethostname(self.name)


class EnterNamespaces(Step):
    """Enter the namespaces of a running container, and be born again in its pid namespace."""

    namespaces: tuple[str, ...]

    def describe(self) -> str:
        return f"setns {'|'.join(self.namespaces)}, clone3 CLONE_PARENT|CLONE_PIDFD"

    def execute(self, scene: Scene) -> None:
        # Those inside must not look into a process that still holds descriptors of the host.
        syscalls.prctl(_PR_SET_DUMPABLE, 0)
        flags = 0
        for name in self.namespaces:
            flags |= getattr(linux, name)
        syscalls.setns(scene.fds["target"], flags)
        # The child goes on when this process has ended, and so has told of it: if a failure of the child's were told
        # before that, nobody would reap it, and its pid namespace could never end.
        told, tell = os.pipe2(os.O_CLOEXEC)
        # setns(2) moves only children into a pid namespace; CLONE_PARENT makes this one a child of whoever asked.
        pid, pidfd = syscalls.clone3(linux.CLONE_PARENT | linux.CLONE_PIDFD)
        if pid:
            scene.send_fd("process", pidfd)
            os._exit(0)
        os.close(tell)
        os.read(told, 1)
        os.close(told)
