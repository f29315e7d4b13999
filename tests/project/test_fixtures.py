"""The fixtures that all tests rely on fail a test that leaves something behind, and only that one."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import os
import subprocess
from pathlib import Path

def test_leaves_a_process(home):
    process = subprocess.Popen(["sleep", "1000"], cwd=home)
    Path("pid").write_text(str(process.pid))

def test_leaves_a_record(home):
    from isoscope.core import Lab
    with Lab(home) as lab:
        lab.registry.create(name="forgotten", variant="null", workload={}, image="")

def test_leaves_a_file_of_nobody():
    Path("/dev/shm/isoscope-test-of-fixtures").write_text("")

def test_leaves_files_of_its_own(home):
    (home / "scratch").write_text("")
    assert os.environ["ISOSCOPE_HOME"] == str(home)
    Path("home").write_text(str(home))
"""


@pytest.mark.root
def test_what_is_left_fails_the_test_that_left_it(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "tests/conftest.py", tmp_path / "conftest.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_leaves.py").write_text(TESTS)
    pytest_ = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--color=no"]
    done = subprocess.run(
        pytest_, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    Path("/dev/shm/isoscope-test-of-fixtures").unlink()
    assert "4 passed, 3 errors" in done.stdout, done.stdout
    assert re.search(rf"^new .*: {pid} \(.*sleep 1000", done.stdout, re.MULTILINE)
    assert "ERROR test_leaves.py::test_leaves_a_process" in done.stdout
    assert "ERROR test_leaves.py::test_leaves_a_record" in done.stdout
    assert "\nnew file: /dev/shm/isoscope-test-of-fixtures\n" in done.stdout
    assert not Path((tmp_path / "home").read_text()).exists()
