"""How long the command line itself takes; `make bench` runs it, and nothing is decided by it."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(sys.executable).with_name("isoscope")


def test_help(benchmark):
    """`isoscope --help`, from the start of the process to its end. The aim: 0.25 s on the test machine."""
    benchmark.extra_info["aim_s"] = 0.25
    benchmark.pedantic(
        subprocess.run, args=([SCRIPT, "--help"],), kwargs={"check": True, "capture_output": True}, rounds=20
    )


def test_an_interpreter_that_does_nothing(benchmark):
    """The floor under it: the same interpreter and environment."""
    benchmark.pedantic(subprocess.run, args=([sys.executable, "-c", ""],), kwargs={"check": True}, rounds=20)
