"""Running a benchmark's tools inside an instance."""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Sequence
from tempfile import TemporaryFile

from isoscope.core.errors import Timeout, WorkloadFailed
from isoscope.core.instance import Instance
from isoscope.core.output import Stdio

#: Characters of a tool's last words that an error repeats.
_LAST_WORDS = 300


def run_inside(instance: Instance, command: Sequence[str], *, timeout: float, statuses: tuple[int, ...] = (0,)) -> str:
    """What a second command in a running instance prints on its standard output.

    Raises CommandNotFound when the image lacks the tool, WorkloadFailed when it ends with a status that is not among
    `statuses`, and Timeout after `timeout` seconds; the command has then been killed.
    """
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        execution = instance.exec(tuple(command), Stdio(stdout=stdout.fileno(), stderr=stderr.fileno()))
        try:
            exit_ = execution.wait(timeout)
        except Timeout:
            execution.kill(signal.SIGKILL)
            raise Timeout(f"{_words(command)} did not end within {timeout:g} s") from None
        output = _text(stdout.fileno())
        if exit_.exit_status not in statuses:
            told = (_text(stderr.fileno()).strip() or output.strip()).rpartition("\n")[2][-_LAST_WORDS:]
            oom = ", killed for want of memory" if exit_.oom_killed else ""
            raise WorkloadFailed(
                f"{_words(command)} ended with status {exit_.exit_status}{oom}",
                hint=told,
                command_status=exit_.exit_status,
            )
        return output


def _text(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "replace")


def _words(command: Sequence[str]) -> str:
    words = shlex.join(command)
    return words if len(words) <= 80 else f"{words[:79]}…"
