"""`isoscope doctor` and `isoscope backends`, as they are called and read."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from isoscope.core.backend import Backend, Lack
from isoscope.core.capabilities import Capabilities
from isoscope.core.cli.main import main
from isoscope.core.host import Host
from isoscope.core.host.host import FACTS
from isoscope.core.lab import Lab
from isoscope.core.variant import Option
from isoscope.core.workload import Network

ISOSCOPE = Path(sys.executable).with_name("isoscope")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Ready(Backend):
    """Lacks nothing."""

    name: ClassVar[str] = "ready"
    summary: ClassVar[str] = "a backend that is ready"
    options: ClassVar[tuple[Option, ...]] = (Option("pace", "how fast", ("fast", "slow"), "slow"),)
    capabilities: ClassVar[Capabilities] = Capabilities(networks=frozenset({Network.HOST}), exec=True)

    def create(self, launch):
        raise NotImplementedError

    def reclaim(self, record) -> None:
        raise NotImplementedError


class Lacking(Ready):
    """Lacks two things."""

    def lacks(self) -> list[Lack]:
        return [Lack("no spoon", "apt-get install spoon"), Lack("no\x1b[31m fork", "buy one")]


class Broken(Ready):
    """Cannot even say what it lacks."""

    def lacks(self) -> list[Lack]:
        raise ZeroDivisionError("division by zero")


def unmakeable(context):
    raise ImportError("no module named spoon")


@pytest.fixture
def offered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four backends, good and bad, in place of the built-in ones."""
    factories = {"broken": Broken, "lacking": Lacking, "ready": Ready, "unmakeable": unmakeable}
    monkeypatch.setattr(Lab, "_factories", factories)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    done = capsys.readouterr()
    assert done.err == ""
    return done.out


def test_doctor_tells_everything_as_json(offered: None, capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(printed(capsys, "doctor", "--json"))
    assert tuple(told["host"]) == FACTS
    backends = {backend["name"]: backend for backend in told["backends"]}
    assert [name for name, backend in backends.items() if backend["ready"]] == ["ready"]
    assert backends["lacking"]["lacks"][0] == {"what": "no spoon", "remedy": "apt-get install spoon"}
    assert backends["broken"]["error"] == "ZeroDivisionError: division by zero"
    assert backends["unmakeable"]["error"] == "ImportError: no module named spoon"


def test_doctor_tells_each_lack_with_its_remedy(offered: None, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "doctor").splitlines()
    at = next(index for index, line in enumerate(lines) if "no spoon" in line)
    assert lines[at].split() == ["no", "lacking", "no", "spoon"]
    assert lines[at + 1].strip() == "-> apt-get install spoon"
    assert "no\\x1b[31m fork" in lines[at + 2], "what a plugin says cannot command the terminal"
    assert any(line.split()[:3] == ["ok", "ready", "ready"] for line in lines)
    assert any("broken: ZeroDivisionError" in line for line in lines)


def test_doctor_tells_every_section_in_one_line_a_text(offered: None, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "doctor")
    for title in ("Machine", "Isolation", "Network", "Virtual machines", "Devices", "Backends"):
        assert f"{title}\n" in text
    assert "\x1b" not in text
    (kvm,) = (line for line in text.splitlines() if re.match(r" +(ok|no) +kvm ", line))
    assert re.search(r"usable|emulated|absent", kvm)


def test_doctor_probes_afresh(offered: None, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Host(home).probe()
    assert json.loads(printed(capsys, "doctor", "--json"))["host"]["kvm"]["cached"] is False


def test_backends_are_described_as_json(offered: None, capsys: pytest.CaptureFixture[str]) -> None:
    told = {backend["name"]: backend for backend in json.loads(printed(capsys, "backends", "--json"))}
    ready = told["ready"]
    assert (ready["ready"], ready["summary"]) == (True, "a backend that is ready")
    assert ready["options"] == [{"name": "pace", "help": "how fast", "choices": ["fast", "slow"], "default": "slow"}]
    assert ready["capabilities"]["networks"] == ["host"]
    assert ready["capabilities"]["exec"] is True
    assert told["unmakeable"]["capabilities"] is None


def test_backends_are_described_in_words(offered: None, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "backends")
    (ready,) = (part for part in text.split("\n\n") if part.startswith("ready\n"))
    assert "a backend that is ready" in ready
    assert re.search(r"pace +fast\|slow, default slow: how fast", ready)
    assert re.search(r"networks +host", ready)
    assert re.search(r"can +.*exec", ready)


def test_a_terminal_of_80_columns_is_enough(home: Path) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen([ISOSCOPE, "doctor"], stdout=follower, stdin=follower, env=environment) as doctor:
        os.close(follower)
        text = b""
        try:
            while piece := os.read(leader, 65536):
                text += piece
        except OSError:  # how a terminal says that nobody writes to it any more
            pass
    os.close(leader)
    lines = ANSI.sub("", text.decode()).splitlines()
    assert doctor.returncode == 0
    assert "Backends" in lines
    assert max(map(len, lines)) <= 80


def test_the_program_says_it_of_the_built_in_backends(home: Path) -> None:
    done = subprocess.run([ISOSCOPE, "doctor", "--json"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {backend["name"] for backend in json.loads(done.stdout)["backends"]} >= {
        "container",
        "null",
        "process",
        "vm",
    }
