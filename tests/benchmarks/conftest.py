"""A lab of backends that pretend, in this process and in others, and comparisons made with it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Benchmark, Run, Value
from isoscope.benchmarks.benchmark import Trial
from isoscope.benchmarks.harness import environment as look
from isoscope.core import Capabilities, Lab, Workload
from isoscope.core.host import Host
from isoscope.core.variant import Variant
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.fake_process import FakeProcess
from isoscope.testing.fake_programs import PROGRAMS

#: Holds the plugin and its metadata, as an installed distribution would.
PLUGIN = Path(__file__).parent / "plugin"

ENVIRONMENT = {
    "ISOSCOPE_PLUGINS": "core,null,benchmarks,fakelab",
    "PYTHONPATH": os.pathsep.join([str(PLUGIN), *filter(None, [os.environ.get("PYTHONPATH")])]),
}


@pytest.fixture(scope="session")
def host_facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What there is to know about this host, probed once: a run writes it down, and it stays the same."""
    return Host(tmp_path_factory.mktemp("host")).as_dict()


@pytest.fixture
def fake_lab(home: Path, host_facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab whose backends process, container, vm and broken come from the plugin."""
    monkeypatch.setattr(Host, "as_dict", lambda _: host_facts)
    monkeypatch.setattr(look, "LOOK", 0.05)
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("ISOSCOPE_PLUGINS", ENVIRONMENT["ISOSCOPE_PLUGINS"])
    with Lab(home) as lab:
        yield lab
    import isoscope_fake_lab

    assert not isoscope_fake_lab.LIVE, "instances were not deleted"


@pytest.fixture
def compare(fake_lab: Lab, tmp_path: Path) -> Callable[..., Run]:
    """Compare on the fake lab, by default `hello` on three backends in two blocks."""

    def run(workload: Any = None, **request: Any) -> Run:
        terms: dict[str, Any] = {"backends": ("process", "container", "vm"), "blocks": 2, "seed": 7}
        terms |= {"directory": tmp_path / "run", **request}
        return fake_lab.compare(workload, **terms)

    return run


@pytest.fixture
def command(home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `isoscope` on the fake lab in a process of its own."""

    def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words(*arguments), env=environment(home), capture_output=True, text=True, **more)

    return run


@pytest.fixture(scope="session")
def measured(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run of `cpu`, `memory` and `syscall`, as short as can be, on a container and a virtual machine."""
    with Lab(shared_home) as lab:
        run: Run = lab.compare(
            backends=("container", "vm"),
            benchmarks=("cpu:time=1", "memory:array=4M,repetitions=2", "syscall:time=0.05,repetitions=2"),
            blocks=1,
            quick=True,
            directory=tmp_path_factory.mktemp("measured") / "run",
        )
        lab.gc()
    return run


def await_reader(process: FakeProcess) -> None:
    """Let time pass until all that was written has been read: the next line then arrives at a later moment."""
    assert process.stdio.stdout is not None
    while int.from_bytes(fcntl.ioctl(process.stdio.stdout, termios.FIONREAD, bytes(4)), sys.byteorder):
        process.tick(0.0005)


@pytest.fixture(scope="session")
def reader_awaited() -> Callable[[FakeProcess], None]:
    return await_reader


@dataclass
class Pretence:
    """Makes a benchmark's trial on a backend that pretends: `account` runs tools that print what they are told."""

    home: Path
    outputs: dict[str, str] = field(default_factory=dict)  #: by the name of the tool
    statuses: dict[str, int] = field(default_factory=dict)
    account: str = '{"account":{"ns":4000000,"user":3000000,"system":1000000}}'
    capabilities: Capabilities | None = None
    programs: dict[str, Any] = field(default_factory=dict)  #: in place of those of the fake image, or beside them
    missing: str = ""  #: a program that the image lacks
    commands: list[tuple[str, ...]] = field(default_factory=list)  #: what was run
    kept: dict[str, bytes] = field(default_factory=dict)

    def measure(self, benchmark: Benchmark, *, warmup: bool = False, **options: str) -> list[Value]:
        programs = {**PROGRAMS, "account": self._run, "stay": self._stay, **self.programs}
        programs.pop(self.missing, None)
        plugin = FakePlugin(programs=programs, capabilities=self.capabilities)
        with lab_with(self.home, plugin) as lab:
            trial = Trial(
                lab=lab,
                variant=Variant("fake"),
                workload=Workload(command=("stay",)),
                block=1,
                warmup=warmup,
                timeout=10,
                options={one.name: one.read(options.get(one.name, one.default)) for one in benchmark.options},
                shield=nullcontext,
                step=lambda _: None,
                keep=self.kept.__setitem__,
            )
            try:
                return list(benchmark.measure(trial))
            finally:
                assert plugin.instances == {}

    @staticmethod
    def _stay(process: FakeProcess) -> None:
        process.write("ready\n")
        process.tick(60)

    def _run(self, process: FakeProcess) -> int:
        tool = process.argv[1]
        self.commands.append(process.argv[1:])
        for line in ('{"begin":"account"}', *self.outputs.get(tool, "").splitlines(), self.account):
            process.write(f"{line}\n")
            await_reader(process)
        return self.statuses.get(tool, 0)


@pytest.fixture
def pretence(home: Path) -> Pretence:
    return Pretence(home)


def words(*arguments: object) -> list[str]:
    code = "import sys; from isoscope.core.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", code, *map(str, arguments)]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "ISOSCOPE_HOME": str(home)}
