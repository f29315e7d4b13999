"""The console script as users start it, and a terminal to start it on."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from isoscope.images.store import Store

SCRIPT = Path(sys.executable).with_name("isoscope")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shared_home(shared_home: Path) -> Path:
    """With the image `base` in it: its build is told on standard error, where these tests expect nothing."""
    Store(shared_home).rootfs("base")
    return shared_home


def isoscope(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run `isoscope` to its end with nothing on standard input; keywords are those of subprocess.run."""
    defaults = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 120}
    return subprocess.run([SCRIPT, *arguments], **{**defaults, **options})


@contextmanager
def start(*arguments: str | Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start `isoscope` and go on; at the end it is waited for, or killed when the test has failed."""
    defaults = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([SCRIPT, *arguments], **{**defaults, **options}) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def done(*arguments: str | Path, **options: Any) -> str:
    """Run `isoscope`, which must succeed and say nothing on standard error. Returns its output."""
    ended = isoscope(*arguments, **options)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def listed(*arguments: str) -> list[dict[str, Any]]:
    """What a listing prints with `--json`."""
    found: list[dict[str, Any]] = json.loads(done(*arguments, "--json"))
    return found


def status(name: str) -> str:
    """The status that `ps -a` shows of an instance; `none` when it shows none."""
    found = [row["status"] for row in listed("ps", "-a") if row["name"] == name]
    return str(found[0]) if found else "none"


def refused(ended: subprocess.CompletedProcess[str], expected_status: int) -> tuple[str, str]:
    """The message and the hint of a command that must have failed, with that status and in two lines."""
    assert ended.returncode == expected_status, ended
    lines = ended.stderr.splitlines()
    assert len(lines) == 2, ended.stderr
    assert lines[0].startswith("error: "), ended.stderr
    assert lines[1].startswith("hint: "), ended.stderr
    return lines[0].removeprefix("error: "), lines[1].removeprefix("hint: ")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a plugin of that source text, for the commands that the test starts."""

    def install(source: str) -> None:
        (tmp_path / "strange.py").write_text(source)
        metadata = tmp_path / "strange-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text("[isoscope]\nstrange = strange\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return install


def environment(**changes: str) -> dict[str, str]:
    """The environment with changes."""
    return {**os.environ, **changes}


class Ending:
    """The end of a process that is not a child, as an event (pidfd_open(2))."""

    def __init__(self, pid: int) -> None:
        self._pidfd = os.pidfd_open(pid)

    def kill(self) -> None:
        """SIGKILL, and wait until it has ended."""
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Wait for its end, a minute at most."""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        assert poll.poll(60_000), "the process did not end"
        os.close(self._pidfd)
