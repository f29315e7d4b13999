"""How long the command line itself takes, against the interpreter that it needs."""

import subprocess
import sys
from pathlib import Path

from isobench.duel import Duel
from isobench.rounds import typical

SCRIPT = Path(sys.executable).with_name("isoscope")

#: Seconds, on a machine like that of the tests.
MOST = 0.25


def test_help(duel: Duel) -> None:
    """`isoscope --help`, from the start of the process to its end."""
    found = duel("isoscope --help", helped, nothing, to="an interpreter that does nothing", rounds=30)
    duel.limit("isoscope --help", typical(found.ours) / 1e9, MOST, "s")


def helped() -> None:
    subprocess.run([SCRIPT, "--help"], check=True, capture_output=True)


def nothing() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True, capture_output=True)
