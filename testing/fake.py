"""A backend whose instances live in memory and do as they are told, for tests of whatever stands above backends.

Its one trace on the host is a file for each instance below the state directory, so that forgetting to delete an
instance shows. Everything happens when it is told to, and nothing waits for time to pass.

    plugin = FakePlugin(programs={**PROGRAMS, "fail": lambda process: 3})
    lab = lab_with(home, plugin)
    plugin.faults["start"] = InstanceFailed("no")          # the next start fails, and so do all after it
    plugin.gates["create"] = gate = threading.Event()      # create waits for gate.set()
    plugin.instances[record.id].die(signal.SIGSEGV)        # as if by itself
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pluggy
from isoscope.core import hookspecs
from isoscope.core.backend import Backend, Context, Lack, Step
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, NotFound, Timeout
from isoscope.core.hookspecs import hookimpl
from isoscope.core.instance import Execution, Exit, Instance, Stats
from isoscope.core.lab import Lab
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio
from isoscope.core.registry import Record
from isoscope.core.rootfs import ImageStore, Rootfs
from isoscope.core.variant import Option
from isoscope.core.workload import Network
from isoscope.testing.fake_process import FakeProcess, Program
from isoscope.testing.fake_programs import PROGRAMS


@dataclass
class FakePlugin:
    """A plugin that offers the backend `fake` and an image store with one image, `base`; and its strings to pull.

    Register the object itself with a plugin manager, or use `lab_with`. What is changed later holds from then on.
    """

    programs: Mapping[str, Program | None] = field(default_factory=lambda: PROGRAMS)  #: what `base` holds
    name: str = "fake"
    capabilities: Capabilities | None = None  #: in place of the backend's own
    lacks: list[Lack] = field(default_factory=list)
    #: Verbs (`create`, `start`, `exec`, `kill`, `pause`, `resume`, `stats`, `delete`, `reclaim`) that raise an error.
    faults: dict[str, BaseException] = field(default_factory=dict)
    #: Verbs that wait for an event first.
    gates: dict[str, threading.Event] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)  #: each verb that was called, and on which id
    instances: dict[str, FakeInstance] = field(default_factory=dict)  #: by id; those not deleted

    @hookimpl
    def isoscope_register_backends(self, register: Callable[[str, Callable[[Context], Backend]], None]) -> None:
        """Offer the backend."""
        register(self.name, lambda context: FakeBackend(context, self))

    @hookimpl(trylast=True)
    def isoscope_image_store(self, home: Path) -> ImageStore:
        """Offer the images, where nobody else does."""
        return FakeImages()

    def reach(self, verb: str, record: Record) -> None:
        """For the fake backend: a verb was called."""
        self.calls.append((verb, record.id))
        if (gate := self.gates.get(verb)) is not None and not gate.wait(60):
            raise Timeout(f"nobody opened the gate before {verb!r}", hint="set the event in FakePlugin.gates")
        if (fault := self.faults.get(verb)) is not None:
            raise fault


class FakeImages:
    """An image store with one image, which holds nothing."""

    def rootfs(self, reference: str) -> Rootfs:
        if reference != "base":
            raise NotFound(f"there is no image {reference!r}", hint="there is: base")
        return Rootfs(digest="sha256:" + "0" * 64, layers=(), command=("true",))

    def ls(self) -> list[dict[str, Any]]:
        return [{"name": "base", "digest": "sha256:" + "0" * 64, "size": 0}]

    def sweep(self) -> list[str]:
        return []


class FakeBackend(Backend):
    """Runs programs that are Python functions; isolates nothing."""

    name: ClassVar[str] = "fake"
    summary: ClassVar[str] = "runs Python functions in memory, for tests"
    options: ClassVar[tuple[Option, ...]] = (Option("colour", "has no effect", ("red", "blue"), "red"),)
    capabilities: ClassVar[Capabilities] = Capabilities(
        networks=frozenset({Network.NONE}),
        limits=frozenset({"memory", "pids"}),
        mounts=True,
        terminal=True,
        exec=True,
        pause=True,
        stats=True,
    )

    def __init__(self, context: Context, plugin: FakePlugin) -> None:
        super().__init__(context)
        self.plugin = plugin
        if plugin.capabilities is not None:
            self.capabilities = plugin.capabilities  # type: ignore[misc]  # each plugin's fake may differ

    def lacks(self) -> list[Lack]:
        return self.plugin.lacks

    def plan(self, launch: Launch) -> list[Step]:
        return [Step("exec", f"call {launch.workload.command[0]}")]

    def create(self, launch: Launch) -> FakeInstance:
        trace = self._trace(launch.record)
        self.plugin.reach("create", launch.record)
        launch.record.claim(trace=str(trace))
        trace.parent.mkdir(exist_ok=True)
        trace.touch()
        return FakeInstance(launch, self.plugin, trace)

    def reclaim(self, record: Record) -> None:
        self.plugin.reach("reclaim", record)
        self._trace(record).unlink(missing_ok=True)

    def sweep(self, live: list[Record]) -> list[str]:
        directory = self.context.home / "fake"
        if live or not directory.exists() or any(directory.iterdir()):
            return []
        directory.rmdir()
        return [f"removed {directory}"]

    def _trace(self, record: Record) -> Path:
        return self.context.home / "fake" / record.mark


class FakeInstance(Instance):
    """One running Python function."""

    phases = ("exec", "ready")

    def __init__(self, launch: Launch, plugin: FakePlugin, trace: Path) -> None:
        super().__init__(launch)
        self._plugin = plugin
        self._trace = trace
        self._processes: list[FakeProcess] = []
        plugin.instances[self.record.id] = self

    def die(self, signal_number: int, *, oom_killed: bool = False) -> None:
        """End the workload from outside, as the kernel might."""
        self._main().signal(signal_number, oom_killed=oom_killed)

    def _start(self) -> None:
        self._plugin.reach("start", self.record)
        program = self._find(self.workload.command[0])
        process = self._process(self.workload.command, self.launch.stdio, self.saw_output)
        self.timeline.mark("exec")
        process.run(program, self._main_ended)

    def _kill(self, signal_number: int) -> None:
        self._plugin.reach("kill", self.record)
        self._main().signal(signal_number)

    def _exec(self, command: tuple[str, ...], stdio: Stdio, terminal: bool) -> Execution:
        self._plugin.reach("exec", self.record)
        program = self._find(command[0])
        sinks = {"stdout": stdio.stdout, "stderr": stdio.stderr}
        process = self._process(command, stdio, lambda stream, data: _pass_on(sinks[stream], data))
        process.run(program, lambda _: None)
        return FakeExecution(process)

    def _pause(self) -> None:
        self._plugin.reach("pause", self.record)
        for process in self._processes:
            process.freeze(True)

    def _resume(self) -> None:
        self._plugin.reach("resume", self.record)
        for process in self._processes:
            process.freeze(False)

    def _stats(self) -> Stats:
        self._plugin.reach("stats", self.record)
        running = [process for process in self._processes if not process.ended.is_set()]
        return Stats(
            cpu_ns=1_000_000, memory=1 << 20, memory_peak=1 << 20, pids=sum(process.tasks() for process in running)
        )

    def _delete(self) -> None:
        self._plugin.reach("delete", self.record)
        for process in self._processes:
            process.signal(9)
            process.ended.wait()
        self._trace.unlink(missing_ok=True)
        self._plugin.instances.pop(self.record.id, None)

    def proof(self) -> dict[str, str]:
        return {"kernel": Path("/proc/sys/kernel/osrelease").read_text().strip()}

    def _find(self, name: str) -> Program:
        if name not in self._plugin.programs:
            raise CommandNotFound(name)
        program = self._plugin.programs[name]
        if program is None:
            raise CommandNotExecutable(name, "Permission denied")
        return program

    def _process(self, argv: tuple[str, ...], stdio: Stdio, output: Callable[[str, bytes], None]) -> FakeProcess:
        directory, environment = self.launch.working_directory(), self.launch.environment()
        self._processes.append(FakeProcess(argv, environment, directory, self.workload, stdio, output))
        return self._processes[-1]

    def _main(self) -> FakeProcess:
        return self._processes[0]

    def _main_ended(self, how: Exit) -> None:
        for process in self._processes[1:]:  # as the end of a pid namespace's first process does
            process.signal(9)
        self.saw_exit(how)


class FakeExecution(Execution):
    """A second Python function beside the instance's own."""

    def __init__(self, process: FakeProcess) -> None:
        self._process = process

    def wait(self, timeout: float | None = None) -> Exit:
        if not self._process.ended.wait(timeout):
            raise Timeout(f"{self._process.argv[0]!r} did not end within {timeout:g} s")
        assert self._process.exit is not None
        return self._process.exit

    def kill(self, signal_number: int) -> None:
        self._process.signal(signal_number)


def lab_with(home: Path, *plugins: Any) -> Lab:
    """A lab that knows these plugins, and none of those that are installed."""
    manager = pluggy.PluginManager("isoscope")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    lab = Lab(home)
    lab.plugins = manager.hook
    return lab


def _pass_on(sink: int | None, data: bytes) -> None:
    while sink is not None and data:
        data = data[os.write(sink, data) :]
