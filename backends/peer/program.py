"""The peer's own program: where it is, and of which version."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from isoscope.core.errors import BackendUnavailable, HostError
from isoscope.core.patience import patience

_DEADLINE = 10.0  # seconds; what is asked for its version has nothing to wait for


@dataclass(frozen=True)
class Program:
    """A program of this host."""

    path: str
    version: str  #: as it says itself, the first line

    @classmethod
    def find(cls, name: str, *, remedy: str, ask: Sequence[str] = ("--version",)) -> Program:
        """The program of that name or path, asked for its version.

        Raises BackendUnavailable with the remedy when it is not there, HostError when it does not answer.
        """
        path = shutil.which(name)
        if path is None:
            raise BackendUnavailable(f"there is no program {name!r}", hint=remedy)
        return cls(os.path.abspath(path), first_line(query([path, *ask])))


def query(command: Sequence[str]) -> str:
    """What a program prints that is asked for something, and ends. Raises HostError."""
    name = os.path.basename(command[0])
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience(_DEADLINE),
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HostError(
            f"{name} did not answer within {patience(_DEADLINE):g} s to {' '.join(command[1:])}",
            hint=f"see what {command[0]} waits for",
        ) from None
    except OSError as error:
        raise HostError(f"{command[0]} cannot be run: {error.strerror}", hint="see what it is: file(1)") from error
    if done.returncode:
        said = first_line(done.stderr) or first_line(done.stdout) or f"it ended with {done.returncode}"
        raise HostError(f"{name} {' '.join(command[1:])} failed: {said}", hint=f"see what {command[0]} is")
    return done.stdout or done.stderr  # some tell their help as an error


def first_line(text: str) -> str:
    """The first line that is not empty, "" when there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
