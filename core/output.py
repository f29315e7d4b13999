"""Where an instance's output goes: into its log, always, and on to the caller's descriptors where there are any."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stdio:
    """Descriptors of the caller that a command is connected to; None means nothing (/dev/null, or the log alone).

    They stay the caller's: nobody else closes them.
    """

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


class OutputLog:
    """The log of one instance: a line of JSON for each piece of output, in the order in which it was seen.

    Bytes that are not UTF-8 survive as lone surrogates (PEP 383). A piece for which the disk has no room is not logged,
    and the first such loss is told: the workload must not stall because its log cannot grow.
    """

    def __init__(self, path: Path, stdio: Stdio) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._onward = {"stdout": stdio.stdout, "stderr": stdio.stderr}
        self._size = os.fstat(self._fd).st_size
        self._complete = True

    def write(self, stream: str, data: bytes) -> None:
        """Append a piece of `stdout` or `stderr` and pass it on."""
        entry = {"time_ns": time_ns(), "stream": stream, "data": data.decode("utf-8", "surrogateescape")}
        self._append(json.dumps(entry).encode() + b"\n")
        onward = self._onward[stream]
        while onward is not None and data:
            try:
                data = data[os.write(onward, data) :]
            except BrokenPipeError:  # whoever listened has gone; the log goes on
                self._onward[stream] = onward = None

    def _append(self, line: bytes) -> None:
        """Append a whole line or nothing: half of one would make the next unreadable, too."""
        try:
            written = os.write(self._fd, line)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            written = 0
        if written == len(line):
            self._size += written
            return
        os.ftruncate(self._fd, self._size)
        if self._complete:
            _log.warning("the disk is full: output is missing from the log")
        self._complete = False

    def close(self) -> None:
        """Close the log. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_log(path: Path) -> Iterator[tuple[str, bytes]]:
    """Stream and bytes of each piece in a log; a last line cut short by a crash is passed over."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    for line in data.splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield parse_entry(line)


def parse_entry(line: bytes) -> tuple[str, bytes]:
    """Stream and bytes of one line of a log."""
    entry = json.loads(line)
    return entry["stream"], entry["data"].encode("utf-8", "surrogateescape")
