"""The emulated host, for tests. What is in `inside` runs on it, by `test_rig.py`, where this file is not read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

collect_ignore = ["inside"]

CLI = "import sys; from isoscope.core.cli.main import main; sys.exit(main())"

#: What the rig says when its kernel was in trouble, which no test may pass or fail on.
IN_TROUBLE = "the emulated host's kernel was in trouble"

Rig = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def rig(stocked_home: Path, tmp_path: Path, pytestconfig: pytest.Config) -> Rig:
    """`isoscope rig` with these words, in a directory of the test's own. Trouble of the rig's kernel is said, and the
    command repeated, once.
    """

    def run(*words: str, program: str = CLI, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, "rig", *words]
        return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def retried(*words: str, **terms: str | Path) -> subprocess.CompletedProcess[str]:
        done = run(*words, **terms)  # type: ignore[arg-type]
        if IN_TROUBLE in done.stderr:
            pytestconfig.get_terminal_writer().line(f"\n{done.stderr.strip()}; repeated: rig {' '.join(words)}")
            done = run(*words, **terms)  # type: ignore[arg-type]
        return done

    return retried
