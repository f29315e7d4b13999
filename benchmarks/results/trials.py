"""`trials.jsonl`: one value a line, append-only, the truth from which everything else is derived.

A trial's last line has the metric `harness.trial`. So a reader can tell a whole trial from one that a crash cut short,
and a run that goes on can drop the latter and make it anew.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.core.errors import HostError, InputError

FILE = "trials.jsonl"

#: The fields of a line, in order.
FIELDS = (
    "schema",
    "benchmark",
    "variant",
    "backend",
    "workload",
    "image",
    "block",
    "trial",
    "order",
    "warmup",
    "metric",
    "value",
    "unit",
    "status",
    "reason",
    "labels",
    "started_at",
)

Row = dict[str, Any]


class Unwritable(HostError):
    """The trials file cannot be written: what is measured from now on would be lost."""


@dataclass(frozen=True)
class Line:
    """A row and where its line ends in the file."""

    row: Row
    end: int


def lines(path: Path) -> Iterator[Line]:
    """The whole lines of a trials file. A last line that a crash cut short is passed over.

    Raises InputError for a line before the last that is no trial.
    """
    try:
        with path.open("rb") as file:
            yield from _whole(file, path)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint="it must be a run's folder") from error


def _whole(file: BinaryIO, path: Path) -> Iterator[Line]:
    """One line at a time: a long run's file is many times as large as what is kept of it."""
    size, end = os.fstat(file.fileno()).st_size, 0
    for number, line in enumerate(file, 1):
        end += len(line)
        try:
            row = json.loads(line)
            if not line.endswith(b"\n") or not isinstance(row, dict) or row.keys() < set(FIELDS):
                raise ValueError("it lacks fields")
        except ValueError as error:
            if end >= size:
                return
            raise InputError(
                f"line {number} of {path} is no trial: {error}", hint="restore the file, or delete that line"
            ) from error
        yield Line(row, end)


class TrialsFile:
    """The file of the run that is being measured, locked against a second harness (flock(2))."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise InputError(
                f"another isoscope is measuring into {path.parent}",
                hint="wait for it, or choose another folder with -o",
            ) from None

    @classmethod
    def new(cls, directory: Path) -> Self:
        """Make the folder and claim it. Raises InputError when it holds anything, HostError when it cannot be made."""
        path = directory / FILE
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if (directory / "manifest.json").exists() or path.exists():
                raise InputError(f"{directory} holds a run already", hint=f"go on with it: --resume {directory}")
            if any(directory.iterdir()):
                raise InputError(f"{directory} is not empty", hint="choose a new folder with -o")
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:  # made by another harness just now, or a file stands where the folder should be
            raise InputError(f"{directory} is taken", hint="choose a new folder with -o") from None
        except NotADirectoryError:
            raise InputError(f"{directory} is not a folder", hint="choose a new folder with -o") from None
        except OSError as error:
            raise HostError(
                f"cannot make the run's folder {directory}: {error.strerror}", hint="choose another with -o"
            ) from error
        return cls(fd, path)

    @classmethod
    def resume(cls, directory: Path) -> tuple[Self, list[Row]]:
        """Claim the folder of a run that was stopped. Returns the rows of its finished trials too.

        What stands behind the last finished trial is cut off. Raises InputError.
        """
        path = directory / FILE
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"cannot go on with {directory}: {error.strerror}", hint="name a run's folder") from error
        file = cls(fd, path)
        found = list(lines(path))
        while found and found[-1].row["metric"] != END_OF_TRIAL.name:
            found.pop()
        os.ftruncate(fd, found[-1].end if found else 0)
        return file, [line.row for line in found]

    def append(self, row: Row) -> None:
        """Append one value in one write(2), so that it survives whatever happens to this process.

        Raises Unwritable when the disk is full; the cut line is then passed over by every reader.
        """
        row = {field: row[field] for field in FIELDS}
        data = json.dumps(row, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode() + b"\n"
        try:
            written = os.write(self._fd, data)
        except OSError as error:
            raise self.unwritten(self._path, error.strerror or str(error)) from error
        if written < len(data):
            raise self.unwritten(self._path, "no space left on device")

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self._path.parent

    def unwritten(self, path: Path, reason: str) -> Unwritable:
        """The error that stops a run whose files can no longer be written."""
        return Unwritable(
            f"cannot write {path}: {reason}", hint=f"free some space, then go on: --resume {self.directory}"
        )

    def close(self) -> None:
        """Put everything on the disk and give up the claim. Idempotent."""
        if self._fd >= 0:
            os.fsync(self._fd)
            os.close(self._fd)
            self._fd = -1
