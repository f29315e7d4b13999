"""Steps that turn a new process into the one that runs the command: who it is, where, with which streams and limits."""

from __future__ import annotations

import errno
import os

from isoscope.backends.launcher import linux, syscalls, users
from isoscope.backends.launcher.step import Scene, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_EINVAL_WITHOUT_MAP = "the user namespace has no such user or group"


class Clone(Step):
    """A new process, a child of whoever asked for it; with `cgroup`, in that one of version 2 from the first."""

    namespaces: tuple[str, ...] = ()
    cgroup: bool = False

    def describe(self) -> str:
        words = ["CLONE_PARENT", "CLONE_PIDFD", *self.namespaces]
        return f"clone3 {'|'.join(words + ['CLONE_INTO_CGROUP'] * self.cgroup)}"

    def execute(self, scene: Scene) -> None:
        # CLONE_PARENT: whoever asked waits for the process itself, and no helper stands between them.
        flags = linux.CLONE_PARENT | linux.CLONE_PIDFD
        for name in self.namespaces:
            flags |= getattr(linux, name)
        if self.cgroup:
            flags |= linux.CLONE_INTO_CGROUP
        scene.pid, scene.pidfd = syscalls.clone3(flags, scene.fds.get("cgroup"))


class JoinCgroups(Step):
    """Enter cgroups of version 1. A thread that writes 0 moves itself, which spares the kernel a grace period."""

    directories: tuple[str, ...]

    def describe(self) -> str:
        return f"write 0 to tasks of {', '.join(self.directories)}"

    def execute(self, scene: Scene) -> None:
        for directory in self.directories:
            fd = os.open(f"{directory}/tasks", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"0")
            finally:
                os.close(fd)


class Settled(Step):
    """Say that cgroups and namespaces are entered. Whoever asked reads them from /proc while the next steps go on."""

    def describe(self) -> str:
        return "have /proc/PID/cgroup and /proc/PID/ns read from outside"

    def execute(self, scene: Scene) -> None:
        scene.settled()


class AwaitWord(Step):
    """Wait until they are read: the command may be over in no time, and nothing could be read of it then."""

    def describe(self) -> str:
        return "wait until they have been read"

    def execute(self, scene: Scene) -> None:
        scene.await_word()


class ChangeRoot(Step):
    """Take another directory as the root."""

    path: str

    def describe(self) -> str:
        return f"chroot {self.path}, chdir /"

    def execute(self, scene: Scene) -> None:
        os.chroot(self.path)
        os.chdir("/")


class NewSession(Step):
    """Let go of the caller's terminal and process group."""

    def describe(self) -> str:
        return "setsid, umask 022"

    def execute(self, scene: Scene) -> None:
        os.setsid()
        os.umask(0o022)


class StandardStreams(Step):
    """Take the given descriptors as standard input, output and error."""

    def describe(self) -> str:
        return "dup2 stdin, stdout and stderr"

    def execute(self, scene: Scene) -> None:
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.dup2(scene.fds[name], number)


class OpenTerminal(Step):
    """A terminal of the new root's own devpts as the controlling one, its other end handed to whoever asked."""

    rows: int
    columns: int
    console: bool  #: whether it is shown as /dev/console, too

    def describe(self) -> str:
        console = ", bind it on /dev/console" if self.console else ""
        return f"open /dev/ptmx ({self.columns}x{self.rows}), TIOCSCTTY, dup2 stdin, stdout and stderr{console}"

    def execute(self, scene: Scene) -> None:
        flags = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC
        master = os.open("/dev/ptmx", flags)
        syscalls.ioctl(master, linux.TIOCSPTLCK, bytes(4))
        # TIOCGPTPEER, not the path: whatever the image may have put at /dev/pts does not matter.
        slave = syscalls.ioctl(master, linux.TIOCGPTPEER, flags)
        size = b"".join(n.to_bytes(2, "little") for n in (self.rows, self.columns, 0, 0))
        syscalls.ioctl(slave, linux.TIOCSWINSZ, size)
        syscalls.ioctl(slave, linux.TIOCSCTTY)
        if self.console:
            self._bind_console(slave)
        for number in range(3):
            os.dup2(slave, number)
        scene.send_fd("terminal", master)
        os.close(master)

    def _bind_console(self, slave: int) -> None:
        os.close(os.open("/dev/console", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        flags = linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC | linux.AT_EMPTY_PATH
        tree = syscalls.open_tree("", flags, slave)
        syscalls.move_mount(tree, "/dev/console")
        os.close(tree)


class CloseDescriptors(Step):
    """Keep nothing but the standard streams and the way to report.

    Before `WorkingDirectory`: a path such as /proc/self/fd/N must not lead to a directory of the host (CVE-2024-21626).
    """

    def describe(self) -> str:
        return "close_range all but stdin, stdout, stderr and the status socket"

    def execute(self, scene: Scene) -> None:
        status = scene.fds["status"]
        if status > 3:
            syscalls.close_range(3, status - 1, 0)
        syscalls.close_range(status + 1, 0xFFFFFFFF, 0)
        syscalls.close_range(status, status, linux.CLOSE_RANGE_CLOEXEC)


class WorkingDirectory(Step):
    """Where the command starts; made when it is missing, as container engines do."""

    path: str

    def describe(self) -> str:
        return f"chdir {self.path}"

    def execute(self, scene: Scene) -> None:
        try:
            os.chdir(self.path)
        except FileNotFoundError:
            self._make()
            os.chdir(self.path)
        os.getcwd()  # fails when the directory is not below the root

    def _make(self) -> None:
        made = "/" if self.path.startswith("/") else ""
        for part in self.path.split("/"):
            made += f"{part}/"
            try:
                os.mkdir(made, 0o755)
            except FileExistsError:
                continue


class SetUser(Step):
    """Become the image's user, by the image's own /etc/passwd and /etc/group."""

    user: str
    groups: bool = True  #: whether setgroups(2) is allowed: not in a user namespace with one id
    known: tuple[int, int, tuple[int, ...], str] | None = (
        None  #: what `users.resolve` says, if that could be told before
    )

    def describe(self) -> str:
        groups = "setgroups, " if self.groups else ""
        return f"{groups}setresgid, setresuid to {self.user or '0:0'}"

    def execute(self, scene: Scene) -> None:
        uid, gid, supplementary, home = self.known or self._look_up()
        scene.environment["HOME"] = home
        if uid:
            self._give_streams(uid)
        try:
            if self.groups:
                os.setgroups(list(supplementary))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            scene.uid = uid
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise OSError(errno.EINVAL, _EINVAL_WITHOUT_MAP) from error
            raise

    def _look_up(self) -> tuple[int, int, tuple[int, ...], str]:
        return users.resolve(self.user, users.read("/etc/passwd"), users.read("/etc/group"))

    def _give_streams(self, uid: int) -> None:
        """Let the user open /dev/stdout and /dev/stderr again; pipes belong to whoever made them."""
        for fd in (1, 2):
            if os.fstat(fd).st_mode & 0o170000 in (0o010000, 0o020000) and os.fstat(fd).st_uid == os.geteuid():
                try:
                    os.fchown(fd, uid, -1)
                except OSError:  # another's, in a user namespace
                    continue


class Execute(Step):
    """Run the command. Does not return."""

    command: tuple[str, ...]
    environment: dict[str, str]

    def describe(self) -> str:
        return f"execve {' '.join(self.command)}"

    def execute(self, scene: Scene) -> NoReturn:
        environment = {**scene.environment, **self.environment}
        name, failure = self.command[0], errno.ENOENT
        for path in self._candidates(name, environment.get("PATH", "")):
            try:
                os.execve(path, list(self.command), environment)  # noqa: S606
            except (FileNotFoundError, NotADirectoryError):
                if os.access(path, os.F_OK):
                    failure = errno.ELIBACC  # it is there, but what it names as its interpreter is not
            except PermissionError as error:
                failure = error.errno or errno.EACCES
        raise OSError(failure, os.strerror(failure))

    def _candidates(self, name: str, path: str) -> list[str]:
        """Where execvp(3) would look."""
        if not name or "/" in name:
            return [name] if name else []
        return [f"{directory or '.'}/{name}" for directory in path.split(":")]


class Finish(Step):
    """End the process, in the place of `Execute`."""

    def describe(self) -> str:
        return "exit_group 0"

    def execute(self, scene: Scene) -> NoReturn:
        os._exit(0)
