"""The emulated host boots, and what only it can show is tested in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("inside")

pytestmark = [pytest.mark.root, pytest.mark.timeout(900)]

CLI = "import sys; from isoscope.core.cli.main import main; sys.exit(main())"


def rig(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CLI, "rig", *words], cwd=cwd, capture_output=True, text=True)


def test_a_command_runs_there_and_its_status_comes_back(stocked_home: Path, tmp_path: Path) -> None:
    script = "cat /sys/bus/pci/devices/0000:01:00.0/sriov_totalvfs; echo kept > runs/file; echo gone > other; exit 7"
    done = rig("run", "--", "sh", "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (7, "7\n"), done.stderr
    assert (tmp_path / "runs" / "file").read_text() == "kept\n"
    assert not (tmp_path / "other").exists(), "what is written elsewhere stays in there"


def test_virtual_functions(stocked_home: Path, tmp_path: Path) -> None:
    """Everything in `inside`, in one boot."""
    command = ["run", "--", sys.executable, "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", str(INSIDE)]
    done = rig(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
