"""A container that an engine runs for us, or did."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic_ns
from typing import Any

from isoscope.backends.docker import local, terms
from isoscope.backends.docker.ending import ending, reason
from isoscope.backends.docker.engine import Engine
from isoscope.backends.docker.execution import start_execution
from isoscope.backends.docker.faults import Refused
from isoscope.backends.docker.feeder import Feeder
from isoscope.backends.docker.leftovers import remove_container
from isoscope.backends.docker.stream import Stream
from isoscope.backends.docker.wire import Line
from isoscope.backends.launcher.terminal import window_size
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, InputError, InstanceFailed, IsoscopeError
from isoscope.core.instance import Connection, Execution, Exit, Instance, Stats, Status
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio
from isoscope.core.workload import Network

PHASES = ("create", "attach", "run", "ready")

_KILLED = Exit(signal=signal.SIGKILL)
_LAST_WORDS = 5.0  #: seconds for an answer that is on its way when a container is deleted


@dataclass(frozen=True)
class Site:
    """What an instance gets from its backend."""

    engine: Engine
    body: Mapping[str, Any]  #: of POST /containers/create
    proof: Mapping[str, str]  #: what is known before
    missing: Callable[[], None]  #: to be called when the engine does not have the image any more


class DockerInstance(Instance):
    """One container. Its command is process 1 of its pid namespace, or what a sandbox shows as that."""

    phases = PHASES

    def __init__(self, launch: Launch, site: Site) -> None:
        super().__init__(launch)
        self._site, self._engine, self._wire = site, site.engine, site.engine.wire
        self._proof = dict(site.proof)
        self._id = launch.record.mark
        self._made = False  #: whether the engine was asked for it
        self._stream: Stream | None = None
        self._feeder: Feeder | None = None
        self._end: Line | None = None  #: on which its end is waited for
        self._look: Line | None = None  #: on which the engine is asked what it has made
        self._moments = threading.Lock()  #: what is marked under it is marked in the order of the clock
        self._looked = threading.Event()
        self._asked = False
        self._drained = False
        self._code: int | None = None
        self._ending = False
        self._crash: InstanceFailed | None = None

    # Starting

    def _start(self) -> None:
        self._create()
        self.timeline.mark("create")
        self._attach()
        self.timeline.mark("attach")
        try:
            self._wire.call("POST", f"/containers/{self._id}/start")
        except Refused as error:
            raise self._why_not(error) from error
        with self._moments:
            self.timeline.mark("run")
        self._watch()

    def _create(self) -> None:
        self._made = True
        try:
            made = self._wire.call("POST", f"/containers/create?name={self.record.mark}", self._site.body)
        except Refused as error:
            if error.status == 400:
                raise InputError(error.message, hint="see the limits and mounts that were asked for") from error
            if error.status == 404:
                self._site.missing()
            raise
        self._id = made["Id"]
        if made["Warnings"]:
            self._proof["warnings"] = "; ".join(made["Warnings"])

    def _attach(self) -> None:
        stdin = "&stdin=1" if self.launch.stdio.stdin is not None else ""
        connected, early = self._wire.upgrade(f"/containers/{self._id}/attach?stream=1&stdout=1&stderr=1{stdin}")
        self._stream = Stream(
            self.launch.pump,
            connected,
            terminal=self.workload.terminal,
            on_output=self._output,
            on_end=self._closed,
        )
        self._stream.follow(early)
        if self.launch.stdio.stdin is not None:
            self._feeder = Feeder(self.launch.stdio.stdin, self._stream)

    def _watch(self) -> None:
        # docker(1) asks before the start, for the next exit; a container that we remove ourselves stays until then.
        self._look = self._wire.line(self.launch.pump, self._looked_in_vain)
        self._end = self._wire.line(self.launch.pump, self._lost)
        self._end.ask("POST", f"/containers/{self._id}/wait?condition=not-running", self._ended)
        if self._ready.is_set():
            self._ask_what_was_made()
        if self.workload.terminal:
            self.resize(*window_size(self.launch.stdio))

    def _why_not(self, refused: Refused) -> IsoscopeError:
        """What the engine made of a command that cannot be executed: it gives the statuses that a shell would."""
        with contextlib.suppress(IsoscopeError):
            code = self._inspect()["State"]["ExitCode"]
            command = self.workload.command[0]
            if code == 127:
                return CommandNotFound(command)
            if code == 126:
                return CommandNotExecutable(command, reason(refused.reason))
        return refused

    def _inspect(self) -> Any:
        return self._wire.call("GET", f"/containers/{self._id}/json")

    # What is heard, on the pump's thread

    def _output(self, stream: str, data: bytes, _at_ns: int) -> None:
        first = not self._ready.is_set()
        with self._moments:
            at_ns = monotonic_ns()
            self.timeline.mark("run", at_ns)  # output may be faster than the engine's answer to the start
            self.saw_output(stream, data, at_ns)
        if first:
            self._ask_what_was_made()

    def _ask_what_was_made(self) -> None:
        """For the proof: once, and when it is ready, so that the question is not in the clock."""
        with self._moments:
            if self._look is None or self._asked:
                return
            self._asked = True
        if not self._look.ask("GET", f"/containers/{self._id}/json", self._saw):
            self._looked.set()

    def _saw(self, status: int, made: Any, _at_ns: int) -> None:
        if status == 200:
            host = made["HostConfig"]
            self._proof.update(runtime=host["Runtime"], network=host["NetworkMode"], image_id=made["Image"])
            if self._engine.address.local:
                self._proof.update(local.proof(made["State"]["Pid"], self._id))
        self._looked.set()

    def _ended(self, status: int, value: Any, at_ns: int) -> None:
        if status != 200:
            self._lost()
            return
        self._code = value["StatusCode"]
        self._settle(at_ns)

    def _closed(self) -> None:
        self._drained = True
        self._settle(monotonic_ns())

    def _settle(self, at_ns: int) -> None:
        """Once both have come, the status and the end of the output."""
        if self._code is None or not self._drained:
            return
        if self._code == _KILLED.exit_status and self._look is not None:
            asked = self._look.ask("GET", f"/containers/{self._id}/json", partial(self._killed, at_ns))
            if asked:
                return
        self.saw_exit(ending(self._code), at_ns)

    def _killed(self, at_ns: int, status: int, found: Any, _later_ns: int) -> None:
        oom_killed = status == 200 and bool(found["State"]["OOMKilled"])
        self.saw_exit(Exit(signal=signal.SIGKILL, oom_killed=oom_killed), at_ns)

    def _looked_in_vain(self) -> None:
        self._looked.set()
        if self._code is not None and self._drained:
            self.saw_exit(ending(self._code))

    def _lost(self) -> None:
        if self._ending:
            return
        self._crash = InstanceFailed(
            f"the engine at {self._engine.address.url} hung up while {self.record.name!r} ran",
            hint="see whether it still runs, and its log; isoscope gc removes what is left once it runs again",
        )
        self.saw_exit(_KILLED)

    # The other verbs

    def wait(self, timeout: float | None = None) -> Exit:
        """As the base class has it; raises InstanceFailed when the engine was lost meanwhile."""
        how = super().wait(timeout)
        if self._crash is not None:
            raise self._crash
        return how

    def _kill(self, signal_number: int) -> None:
        self._tell(f"kill?signal={signal_number}")

    def resize(self, rows: int, columns: int) -> None:
        self._tell(f"resize?h={rows}&w={columns}")

    def _tell(self, verb: str) -> None:
        try:
            self._wire.call("POST", f"/containers/{self._id}/{verb}")
        except Refused as error:
            if error.status != 409:  # it has ended meanwhile
                raise

    def _pause(self) -> None:
        self._wire.call("POST", f"/containers/{self._id}/pause")

    def _resume(self) -> None:
        self._wire.call("POST", f"/containers/{self._id}/unpause")

    def _stats(self) -> Stats:
        found = self._wire.call("GET", f"/containers/{self._id}/stats?stream=false&one-shot=true")
        memory = found["memory_stats"]
        return Stats(
            cpu_ns=found["cpu_stats"]["cpu_usage"]["total_usage"],
            memory=memory.get("usage"),
            memory_peak=memory.get("max_usage"),  # only with cgroups of version 1
            pids=found["pids_stats"].get("current"),
        )

    def _host_pids(self) -> tuple[int, ...]:
        pid = self._inspect()["State"]["Pid"]
        return local.processes(pid, self._id) if pid else ()

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        body = terms.exec_body(self.launch, command, stdio, terminal=terminal)
        return start_execution(self._engine, self.launch.pump, self._id, body, stdio)

    def connection(self) -> Connection | None:
        """On the engine's bridge, when that is this host's."""
        if self.workload.network is not Network.BRIDGE or self.status not in (Status.RUNNING, Status.PAUSED):
            return None
        network = self._inspect()["NetworkSettings"]["Networks"]["bridge"]
        device = local.device_with(network["Gateway"])
        return Connection(network["IPAddress"], device, network["MacAddress"]) if device else None

    def proof(self) -> dict[str, str]:
        return dict(self._proof)

    # The end

    def _delete(self) -> None:
        if self._asked:
            self._looked.wait(_LAST_WORDS)
        self._ending = True
        try:
            if self._made:
                remove_container(self._engine, self.record.mark)
        finally:
            if self._feeder is not None:
                self._feeder.stop()
                self._feeder = None
            for heard in (self._stream, self._end, self._look):
                if heard is not None:
                    heard.close()
