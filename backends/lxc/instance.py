"""A container of LXC."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from isoscope.backends.launcher.streams import Streams
from isoscope.backends.lxc import config
from isoscope.backends.lxc.groups import Groups
from isoscope.backends.lxc.monitor import Monitor
from isoscope.backends.peer.bridge import JoiningInstance
from isoscope.backends.peer.faults import explain
from isoscope.backends.peer.instance import Means
from isoscope.backends.peer.netns import NetworkNamespace
from isoscope.backends.peer.program import Program
from isoscope.backends.peer.spawn import Start
from isoscope.core.errors import HostError, IsoscopeError
from isoscope.core.instance import Exit
from isoscope.core.launch import Launch

#: LXC logs the reason before what failed: `No such file or directory - Failed to exec "x"`.
_LOG_LINE = re.compile(r"ERROR +(?:\S+) - \S+ - (?P<said>.*)")
_EXEC = re.compile(r"(?P<reason>.*) - Failed to exec \"")
_ABOUT_COMMAND = re.compile(r"^exec: ", re.MULTILINE)


class LxcInstance(JoiningInstance):
    """lxc-start in the foreground, and the command as process 1 inside, as in a container of ours.

    The kernel keeps from process 1 every signal that it has no handler for, but SIGKILL and SIGSTOP.
    """

    def __init__(
        self, launch: Launch, means: Means, program: Program, groups: Groups, network: NetworkNamespace | None
    ) -> None:
        super().__init__(launch, means, network)
        self._program, self._groups = program, groups
        self._line = Start(words(launch, program.path))
        try:
            _write(config_file(launch), config.text(launch, means.tree, groups, network.path if network else ""))
            self._monitor = Monitor(self.record.directory)
        except OSError as error:
            raise HostError(f"cannot prepare {self.record.name!r}: {error}", hint="free some space") from error

    def _spawn(self) -> None:
        """Not in the cgroup: lxc-start makes its own, for itself and for the container, and enters them."""
        with Streams(self.launch.stdio, terminal=False) as streams:
            pidfd = self._means.spawner.spawn(self._peer(), streams.theirs)
            self._follow(pidfd, streams.keep(), None)

    def _peer(self) -> Start:
        return self._line

    def _told(self, how: Exit) -> Exit:
        for word in self._monitor.said():
            if isinstance(word, int):
                code = os.waitstatus_to_exitcode(word)
                return Exit(code=code) if code >= 0 else Exit(signal=-code)
        # Killed itself, or the command turned out to be none when it had been opened: lxc-start alone can tell.
        for line in _errors(log_file(self.launch)):
            self.saw_output("stderr", f"lxc-start: {line}\n".encode())
        return how

    def _with_cause(self, how: Exit) -> Exit:
        if how.exit_status == 128 + signal.SIGKILL and self._groups.oom_killed():
            return Exit(code=how.code, signal=how.signal, oom_killed=True)
        return how

    def _explain(self, said: str, how: Exit) -> IsoscopeError:
        logged = _errors(log_file(self.launch))
        reasons = [f"exec: {found['reason']}" for line in logged if (found := _EXEC.match(line))]
        return explain(
            "lxc-start",
            "\n".join([*reasons, *logged, said]),
            self.workload.command[0],
            about_command=_ABOUT_COMMAND,
            status=f"it ended with status {how.exit_status}",
        )

    def _pause(self) -> None:
        self._groups.payload().freeze()

    def _resume(self) -> None:
        self._groups.payload().thaw()

    def proof(self) -> dict[str, str]:
        return {**shown, "runtime": f"LXC {self._program.version}"} if (shown := super().proof()) else {}

    def _delete(self) -> None:
        super()._delete()
        self._monitor.close()


def words(launch: Launch, program: str) -> tuple[str, ...]:
    """The command line. Raises InputError for what LXC cannot take."""
    return (
        program,
        "--foreground",
        "--quiet",  # on standard error, which is the command's
        f"--lxcpath={launch.record.directory}",
        f"--name={launch.record.mark}",
        f"--rcfile={config_file(launch)}",
        f"--logfile={log_file(launch)}",
        "--logpriority=ERROR",
        *config.definitions(launch),
        "--",
        *launch.workload.command,
    )


def config_file(launch: Launch) -> Path:
    """Where the configuration is."""
    return launch.record.directory / "lxc.conf"


def log_file(launch: Launch) -> Path:
    """Where lxc-start says what went wrong."""
    return launch.record.directory / "lxc.log"


def _write(path: Path, text: str) -> None:
    """Write a file that is nobody else's to read: variables may be secrets."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(os.fsencode(text))


def _errors(path: Path) -> list[str]:
    """What a log of LXC says, without where it was said."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return []
    return [found["said"] for line in text.splitlines() if (found := _LOG_LINE.search(line))]
