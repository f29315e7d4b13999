"""A plugin for the tests of comparisons: backends that pretend, and whose workloads do what their command says.

`echo`: prints and ends. `true`: ends. `stay`: prints and stays. `exit N`: prints and ends with N. `missing`: does not
exist. `hang`: neither prints nor ends. `flaky`: fails in every third instance of a backend. `crash`: a defect.
"""

from __future__ import annotations

import threading
import time
from itertools import count
from pathlib import Path
from types import MappingProxyType

from isoscope.benchmarks import Benchmark, Direction, Metric, Value
from isoscope.benchmarks.published import figures
from isoscope.benchmarks.reproduce import Match, Needs, Plan, Recipe, Setting, System
from isoscope.core import Capabilities, Network, hookimpl
from isoscope.core.backend import Backend, Lack, Option
from isoscope.core.errors import CommandNotFound, InstanceFailed
from isoscope.core.instance import Exit, Instance
from isoscope.core.rootfs import Rootfs

LIVE: set[str] = set()  # instances created and not deleted, by mark


class FakeInstance(Instance):
    phases = ("exec", "ready")
    pace = 0.0002
    labels = MappingProxyType({})

    def __init__(self, launch, number):
        super().__init__(launch)
        self.number = number
        LIVE.add(self.record.mark)

    def _start(self):
        verb, *rest = self.workload.command
        if verb == "missing":
            raise CommandNotFound(verb)
        if verb == "crash":
            raise ZeroDivisionError("a defect of the backend")
        if verb == "flaky" and self.number % 3 == 2:
            raise InstanceFailed("no luck this time", hint="try again")
        for phase in self.phases[:-1]:
            time.sleep(self.pace)
            self.timeline.mark(phase)
        if verb == "hang":
            return
        if verb != "true":
            self.saw_output("stdout", b"hello\n")
        if verb != "stay":
            threading.Thread(target=self._end, args=(int(rest[0]) if verb == "exit" else 0,)).start()

    def _end(self, code):
        time.sleep(self.pace)
        self.saw_exit(Exit(code=code))

    def _kill(self, signal_number):
        self.saw_exit(Exit(signal=signal_number))

    def _delete(self):
        if self.status == "running":
            self._kill(9)
        LIVE.discard(self.record.mark)

    def proof(self):
        return {"kernel": "6.1-fake", **self.labels}


class FakeContainer(FakeInstance):
    phases = ("cgroup", "network", "clone", "rootfs", "exec", "ready")


class FakeVm(FakeInstance):
    phases = ("define", "vmm", "kernel", "init", "exec", "ready")
    pace = 0.0006
    labels = MappingProxyType({"accelerator": "tcg"})


class FakeBackend(Backend):
    name = "process"
    summary = "pretends"
    options = (Option("mode", "a choice", ("a", "b"), "a"),)
    capabilities = Capabilities(networks=frozenset({Network.NONE, Network.HOST}), limits=frozenset({"memory"}))
    instance = FakeInstance

    def __init__(self, context):
        super().__init__(context)
        self.numbers = count()

    def create(self, launch):
        return self.instance(launch, next(self.numbers))

    def reclaim(self, record):
        pass


class FakeContainerBackend(FakeBackend):
    name = "container"
    instance = FakeContainer
    capabilities = Capabilities(
        networks=frozenset({Network.NONE, Network.HOST}), limits=frozenset({"memory"}), exec=True
    )


class FakeVmBackend(FakeBackend):
    name = "vm"
    instance = FakeVm


class Broken(FakeBackend):
    name = "broken"

    def lacks(self):
        return [Lack("there is no such program", "apt install such")]


class OnRequest(FakeBackend):
    name = "on-request"
    by_default = False


class Store:
    def __init__(self, home):
        self.home = home

    def rootfs(self, reference):
        return Rootfs(digest=f"sha256:{reference:0<64}", layers=(), command=("echo",))

    def ls(self):
        return []

    def sweep(self):
        return []


class Steps(Benchmark):
    """A stranger's benchmark: several values under one dimension, and a capability that not all have."""

    name = "steps"
    summary = "counts"
    workload = "hello"
    headline = (Metric("steps.rate", "1/s", Direction.HIGHER, "Steps in a second."),)
    dimensions = ("size",)
    requires = frozenset({"exec"})

    def measure(self, trial):
        with trial.instance() as instance:
            instance.start()
            trial.keep("steps.txt", b"one two")
            for size in (1, 2):
                yield Value(self.headline[0], 100.0 * size + trial.block, {"size": size, **instance.proof()})


@hookimpl
def isoscope_register_backends(register):
    for backend in (FakeBackend, FakeContainerBackend, FakeVmBackend, Broken, OnRequest):
        register(backend.name, backend)


@hookimpl
def isoscope_register_benchmarks(register):
    register("steps", Steps)


class Boot(Recipe):
    """A study that nobody repeats, with a baseline that pretends, and a system that cannot run here."""

    study = "virtme-ng-readme"
    item = "exec-uname"
    summary = "pretends"

    def plan(self, here, *, quick):
        return Plan(
            clock="a clock",
            systems=(
                System("rust-init", "process"),
                System("bash-init", "container"),
                System("never", "broken", "<i>hostile</i>"),
            ),
            baseline="rust-init",
            benchmarks=("startup",),
            matches=(
                Match('virtme-ng --exec "uname -r", kernel 6.4-rc3', "total", "startup", "startup.ready", factor=1e-9),
            ),
            settings=(Setting("size", "much", "little", "a rule"),),
            blocks=9,
            trial_seconds=0.01,
        )


class Elsewhere(Boot):
    """What no host has."""

    item = "nowhere"
    needs = Needs(cpus=100_000)

    def published(self):
        return figures("virtme-ng-readme", "exec-uname")


@hookimpl
def isoscope_register_recipes(register):
    register("virtme-ng-readme/exec-uname", Boot)
    register("virtme-ng-readme/nowhere", Elsewhere)


@hookimpl
def isoscope_image_store(home: Path):
    return Store(home)
