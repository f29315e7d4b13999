"""Children that are asked: they answer, hang, crash, and are never left behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from isoscope.core.host import child
from isoscope.core.host.child import ask

PROBES = Path(child.__file__).parent / "probes"


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes a probe of some lines of Python, and returns its name."""
    shutil.copytree(PROBES, tmp_path / "probes")
    monkeypatch.setattr(child, "_HERE", tmp_path)

    def make(*lines: str) -> str:
        body = "".join(f"    {line}\n" for line in lines)
        head = "import os, signal, sys, time\nfrom isoscope.core.host.probes.report import say, attempt\n"
        (tmp_path / "probes" / "tried.py").write_text(f"{head}def main(arguments):\n{body}")
        return "tried"

    return make


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_child_says_what_it_found(probe) -> None:
    answer = ask(probe("say(a=1)", "say(b=arguments)"), "x", "y", deadline_s=5)
    assert (answer.said, answer.trouble, answer.late) == ({"a": 1, "b": ["x", "y"]}, "", False)


def test_its_cpu_time_is_known(probe) -> None:
    answer = ask(probe("while time.process_time() < 0.2: pass"), deadline_s=20)
    assert answer.cpu_s >= 0.2


@pytest.mark.parametrize(
    "hang",
    [
        "while True: pass",
        "while True: time.sleep(1)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, set(range(1, 65))); signal.pause()",
        "sys.stdout.write('no newline'); sys.stdout.flush(); signal.pause()",
    ],
)
def test_a_child_that_hangs_is_killed_and_what_it_said_counts(probe, hang: str, monkeypatch) -> None:
    monkeypatch.setattr(child, "_START_S", 1000)
    answer = ask(probe("say(pid=os.getpid())", hang), deadline_s=0.2)
    assert answer.late
    assert answer.trouble == "no answer before the deadline"
    assert gone(answer.said["pid"])


def test_the_deadline_counts_from_the_first_word(probe, tmp_path: Path) -> None:
    name = probe("say(a=1)")
    module = tmp_path / "probes" / f"{name}.py"
    module.write_text(f"import time\ntime.sleep(0.5)\n{module.read_text()}")
    answer = ask(name, deadline_s=0.3)
    assert (answer.said, answer.late) == ({"a": 1}, False)


def test_a_child_that_never_starts_is_killed(probe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = probe("pass")
    (tmp_path / "probes" / f"{name}.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.setattr(child, "_START_S", 0.5)
    assert ask(name, deadline_s=100).late


def test_a_grandchild_that_holds_the_output_open_delays_nothing(probe) -> None:
    answer = ask(
        probe(
            "reader, writer = os.pipe()",
            "if (pid := os.fork()) == 0:",
            "    os.setsid(); signal.pause()",
            "say(pid=pid)",
        ),
        deadline_s=20,
    )
    os.kill(answer.said["pid"], signal.SIGKILL)
    assert not answer.late
    assert not answer.trouble


def test_an_exception_is_said(probe) -> None:
    answer = ask(probe("say(a=1)", "raise ValueError('no good')"), deadline_s=5)
    assert answer.said == {"a": 1, "error": "ValueError: no good"}
    assert answer.trouble == "the probing process ended with status 1"


def test_a_crash_is_told_by_its_signal(probe) -> None:
    assert ask(probe("os.kill(os.getpid(), signal.SIGSEGV)"), deadline_s=5).trouble.endswith("killed by signal 11")


@pytest.mark.parametrize("noise", ['b\'{"a": 1}\\n{"b": \'', "b'{\"a\": 1}\\nnoise\\n'", "b'{\"a\": 1}\\n[1]\\n'"])
def test_a_line_that_is_no_object_ends_the_answer(probe, noise: str) -> None:
    assert ask(probe(f"os.write(1, {noise})"), deadline_s=5).said == {"a": 1}


def test_a_failed_call_is_said_with_its_errno(probe) -> None:
    answer = ask(probe("attempt('open', os.open, '/nonexistent', 0)", "attempt('close', os.getpid)"), deadline_s=5)
    assert answer.said["open"] == {"call": "/nonexistent", "errno": 2, "text": "No such file or directory"}
    assert answer.said["close"] is None


def test_an_interpreter_that_cannot_be_started_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert "no child process could be started" in ask("seccomp", deadline_s=1).trouble


def test_a_child_leaves_no_descriptor_open(probe) -> None:
    before = os.listdir("/proc/self/fd")
    ask(probe("signal.pause()"), deadline_s=0.1)
    ask(probe("pass"), deadline_s=5)
    assert os.listdir("/proc/self/fd") == before


def test_a_child_ends_with_the_process_that_asked(probe, tmp_path: Path) -> None:
    name = probe("open(arguments[0], 'w').write(str(os.getpid()))", "signal.pause()")
    told = tmp_path / "pid"
    os.mkfifo(told)
    code = (
        "import pathlib, sys\nfrom isoscope.core.host import child\n"
        "child._HERE = pathlib.Path(sys.argv[1])\nchild.ask(sys.argv[2], sys.argv[3], deadline_s=100)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name, str(told)]) as asking:
        pid = int(told.read_text())
        pidfd = os.pidfd_open(pid)
        asking.kill()
    try:
        assert select.select([pidfd], [], [], 15)[0], "the child outlived the one that asked"
    finally:
        os.close(pidfd)
