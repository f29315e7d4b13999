"""A lab in memory with a victim and a hog that do as they are told, and trials of the benchmark."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks.benchmark import Trial, Value
from isoscope.benchmarks.interference.benchmark import Interference
from isoscope.benchmarks.request import Request
from isoscope.core import Capabilities, Lab, Variant, Workload
from isoscope.images.programs import compile_program
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.fake_process import FakeProcess
from isoscope.testing.fake_programs import PROGRAMS

#: So patient that no victim that ends at all is late, however busy the host is.
PATIENT = "patience=1000000"


@dataclass
class Street:
    """What happens when the two meet."""

    beside: Callable[[FakeProcess], int | None] = lambda _: 0  #: the victim's work beside a neighbour
    hog: Callable[[FakeProcess], int | None] | None = None  #: the neighbour's end, in place of a report
    neighbours: list[str] = field(default_factory=list)  #: at work now
    seen: list[tuple[str, ...]] = field(default_factory=list)  #: every command of a hog

    def victim(self, process: FakeProcess) -> int | None:
        process.write("ready\n")
        process.read()
        process.tick(int(process.argv[2]) / 10_000)
        how = self.beside(process) if self.neighbours else 0
        process.write("end 1\n")
        return how

    def neighbour(self, process: FakeProcess) -> int | None:
        process.catches = {signal.SIGTERM}
        self.seen.append(process.argv)
        self.neighbours.append(process.argv[1])
        try:
            if self.hog is not None:
                return self.hog(process)
            process.write("active\n")
            process.wait_signal()
            process.write(json.dumps({"refused": 3, "bytes": 4096, "tasks": "nonsense", "oom_kills": 1}) + "\n")
            return 0
        finally:
            self.neighbours.remove(process.argv[1])


def stay(process: FakeProcess) -> None:
    """The instance in which the victim works."""
    process.write("up\n")
    process.wait_signal()


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture
def plugin(street: Street) -> FakePlugin:
    limited = Capabilities(limits=frozenset({"cpus", "memory", "pids"}), exec=True, stats=True)
    programs = {**PROGRAMS, "victim": street.victim, "hog": street.neighbour, "stay": stay}
    return FakePlugin(programs=programs, capabilities=limited)


@pytest.fixture
def lab_in_memory(home: Path, plugin: FakePlugin) -> Iterator[Lab]:
    with lab_with(home, plugin) as lab:
        yield lab
        assert list(lab.registry) == [], "an instance was not deleted"
        lab.gc()


def trial(lab: Lab, variant: str, *options: str, workload: Workload | None = None, warmup: bool = False) -> Trial:
    """A trial with options as they are written."""
    request = Request.parse(f"interference:{','.join(options)}") if options else Request("interference")
    texts = request.resolve(Interference.options, quick=False)
    return Trial(
        lab,
        Variant.parse(variant),
        workload or lab.workload("victim"),
        block=1,
        warmup=warmup,
        timeout=60,
        options={option.name: option.read(texts[option.name]) for option in Interference.options},
        shield=contextlib.nullcontext,
        step=lambda text: None,
        keep=lambda name, data: None,
    )


@pytest.fixture
def measure(lab_in_memory: Lab) -> Callable[..., list[Value]]:
    """Every value of a trial in memory."""

    def run(*options: str, variant: str = "fake", **more: Any) -> list[Value]:
        workload = Workload(image="base", command=("stay",))
        asked = trial(lab_in_memory, variant, PATIENT, "work=0.01", *options, workload=workload, **more)
        return list(Interference().measure(asked))

    return run


def found(values: list[Value], metric: str) -> dict[tuple[str, str], Value]:
    """The values of a metric by limits and neighbour."""
    return {
        (str(v.labels["limits"]), str(v.labels.get("neighbour", ""))): v
        for v in values
        if v.metric.name == f"interference.{metric}"
    }


@pytest.fixture(scope="session")
def hog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled for this host."""
    path = tmp_path_factory.mktemp("programs") / "hog"
    compile_program("hog", path)
    path.chmod(0o755)
    return path


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a program whose output is read; it is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def run(*command: object) -> subprocess.Popen[str]:
        words = [str(word) for word in command]
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()
