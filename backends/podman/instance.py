"""A container of podman's."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

from isoscope.backends.peer.faults import plain
from isoscope.backends.peer.instance import Means, PeerInstance
from isoscope.backends.peer.spawn import Start
from isoscope.backends.podman.command import Podman
from isoscope.backends.podman.oom import OomWatch
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, InstanceFailed, IsoscopeError
from isoscope.core.instance import Exit
from isoscope.core.launch import Launch

#: podman-run(1), "Exit Status".
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127


class PodmanInstance(PeerInstance):
    """`podman run`, attached: our child, which ends as the workload has; conmon beside it, the runtime is gone."""

    def __init__(self, launch: Launch, means: Means, podman: Podman) -> None:
        super().__init__(launch, means)
        self._podman = podman
        self._oom: OomWatch | None = None
        self._line = Start(podman.run(launch, str(means.tree)), podman.environment())

    def _peer(self) -> Start:
        return self._line

    def _begun(self, at_ns: int) -> None:
        """Its cgroup is one below ours, beside that of conmon, under a name that podman chooses."""
        found = re.search(rf"/{re.escape(self.record.mark)}(/\S+)", self._proof.get("cgroup", ""))
        if found:
            directories = {key: f"{path}{found[1]}" for key, path in self._cgroup.directories.items()}
            self._cgroup = replace(self._cgroup, directories=directories)
            if "memory" in directories and self.workload.resources.memory is not None:
                self._oom = OomWatch(directories["memory"], self.launch.pump)
        super()._begun(at_ns)

    def _with_cause(self, how: Exit) -> Exit:
        """The container's cgroup has gone by now, and what it knew."""
        heard = self._oom.seen if self._oom is not None else self._means.cgroup.oom_killed()
        return replace(how, oom_killed=True) if heard and how.signal == signal.SIGKILL else how

    def _host_pids(self) -> tuple[int, ...]:
        """The container's, conmon's, and podman's own, which waits for both."""
        assert self._task is not None
        with self._task.descriptor() as pidfd:
            found = [int(Path(f"/proc/self/fdinfo/{pidfd}").read_text().partition("Pid:")[2].split()[0])]
        for directory, _, _ in os.walk(next(iter(self._means.cgroup.directories.values()))):
            found += map(int, Path(directory, "cgroup.procs").read_text().split())
        return tuple(found)

    def _explain(self, said: str, how: Exit) -> IsoscopeError:
        command = self.workload.command[0]
        if how.code == _NOT_FOUND:
            return CommandNotFound(command)
        if how.code == _NOT_EXECUTABLE:
            return CommandNotExecutable(command, "permission denied" if "permission denied" in said else plain(said))
        return InstanceFailed(f"podman failed: {plain(said)}", hint="isoscope doctor says what this host lacks")

    def proof(self) -> dict[str, str]:
        if not (shown := super().proof()):
            return {}
        return {**shown, "runtime": f"{self._podman.program.version}, {self._podman.runtime}"}

    def _delete(self) -> None:
        super()._delete()
        if self._oom is not None:
            self._oom.close()
            self._oom = None

    def _end_peer(self) -> None:
        assert self._task is not None
        with contextlib.suppress(OSError):
            self._means.cgroup.thaw()  # version 1 lets nothing die that is frozen
        if self._command >= 0:
            self._kill(signal.SIGKILL)  # podman then ends by itself
        else:
            self._task.kill(signal.SIGKILL)
