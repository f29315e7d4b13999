"""The C program that starts a container in the least way, and says how long that took."""

from __future__ import annotations

import subprocess
from pathlib import Path


def bare_container(program: Path, lower: Path, directory: Path, command: str) -> int:
    """Nanoseconds, as the C program counts them. It makes its directories before, as `Backend.create` does."""
    directory.mkdir()
    done = subprocess.run([program, lower, directory, command], stdout=subprocess.PIPE, text=True, check=True)
    directory.rmdir()
    return int(done.stdout)
