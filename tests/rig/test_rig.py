"""The emulated host boots, and what only it can show is tested in it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from isoscope.core import Lab
from isoscope.core.registry import Registry

from .conftest import CLI, Rig

INSIDE = Path(__file__).with_name("inside")

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

#: Has the program end by a signal of its own at the moment at which its QEMU runs, and the machine does not yet.
INTERRUPTED = (
    "import os; from isoscope.rig.instance import RigInstance as R; "
    "R._instruct = lambda *_: os.kill(os.getpid(), {number}); " + CLI
)


def test_a_command_runs_there_and_its_status_comes_back(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("echo seen\n")
    here = tmp_path / "runs"
    script = f"cat /sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs; . ./script; echo 1 > runs/a; echo 2 > {here}/b; "
    done = rig("run", "--", "sh", "-c", f"{script} echo gone > other; exit 7")
    assert (done.returncode, done.stdout) == (7, "7\nseen\n"), done.stderr
    assert [(here / name).read_text() for name in "ab"] == ["1\n", "2\n"]
    assert not (tmp_path / "other").exists(), "what is written elsewhere stays in there"


def test_up_and_down(rig: Rig, stocked_home: Path, tmp_path: Path) -> None:
    """One boot, of a rig that is used from several places."""
    place = tmp_path / "a comma, and a space"
    place.mkdir()
    done = rig("down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "the rig is not up\n")
    try:
        done = rig("up", cwd=place)
        assert (done.returncode, done.stdout) == (0, "rig\n"), done.stderr
        done = rig("up", cwd=place)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "the rig is up already\n")
        done = rig("run", "--memory", "3G", "--", "true", cwd=place)
        assert done.returncode == 2
        assert "is up already" in done.stderr
        done = rig("run", "--", "sh", "-c", "pwd; echo kept > runs/file; exit 7", cwd=place)
        assert (done.returncode, done.stdout, done.stderr) == (7, f"{place}\n", "")
        assert (place / "runs" / "file").read_text() == "kept\n"
        done = rig("run", "--", "true", cwd=Path("/"))
        assert done.returncode == 0
        assert f"keeps what is below {place}/runs alone" in done.stderr
        done = rig("shell", cwd=place)
        assert done.returncode == 2
        assert "standard input is not a terminal" in done.stderr
    finally:
        done = rig("down")
    assert (done.returncode, done.stdout) == (0, "rig\n"), done.stderr
    assert list(Registry(stocked_home)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_while_it_boots_leaves_nothing(rig: Rig, lab: Lab, tmp_path: Path, number: signal.Signals) -> None:
    done = rig("run", "--", "true", program=INTERRUPTED.format(number=int(number)))
    assert done.returncode == (-number if number == signal.SIGKILL else 128 + number), done.stderr
    lines = lab.gc()
    removed = [line for line in lines if line.startswith("removed instance")]
    assert len(removed) == (number == signal.SIGKILL), lines
    assert (tmp_path / "runs").exists() == (number == signal.SIGKILL), "the folder goes with who made it for nothing"


def test_a_sigkill_while_it_runs_leaves_nothing(rig: Rig, lab: Lab, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLI, "rig", "run", "--", "sh", "-c", "echo ready; exec sleep infinity"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        try:
            assert victim.stdout.readline() == "ready\n"
        finally:
            victim.kill()
    [record] = lab.registry
    assert f"removed instance {record.name} (rig)" in lab.gc()


@pytest.mark.timeout(1800)  # its kernel may be in trouble, and all of it be repeated
def test_what_needs_such_a_host(rig: Rig) -> None:
    """Everything in `inside`, in one boot: virtual functions, cgroup v2, usable KVM."""
    home = "ISOSCOPE_TESTING_HOME=/run/isoscope-home"
    pytest_there = [sys.executable, "-m", "pytest", "--noconftest", "-p", "isoscope.testing.fixtures"]
    done = rig("run", "--", "env", home, *pytest_there, "-p", "no:cacheprovider", str(INSIDE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
