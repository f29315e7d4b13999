"""Running a benchmark's tools inside an instance."""

from __future__ import annotations

import os
import select
import shlex
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic_ns
from typing import Self

from isoscope.core.errors import InstanceFailed, StateError, Timeout, WorkloadFailed
from isoscope.core.instance import Execution, Exit, Instance
from isoscope.core.output import Stdio

#: Characters of a tool's last words that an error repeats.
_LAST_WORDS = 300

_CHUNK = 1 << 16

#: Characters that a tool may print line by line; the largest of ours print some 100 KiB.
_MOST_OUTPUT = 4 << 20


def run_inside(instance: Instance, command: Sequence[str], *, timeout: float, statuses: tuple[int, ...] = (0,)) -> str:
    """What a second command in a running instance prints on its standard output.

    Raises CommandNotFound when the image lacks the tool, WorkloadFailed when it ends with a status that is not among
    `statuses`, InstanceFailed when the instance has ended, and Timeout after `timeout` seconds; the command has then
    been killed.
    """
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        execution = begin(instance, command, Stdio(stdout=stdout.fileno(), stderr=stderr.fileno()))
        exit_ = _end(execution, command, timeout)
        output = _text(stdout.fileno())
        if exit_.exit_status not in statuses:
            raise _failure(command, exit_, _text(stderr.fileno()).strip() or output.strip())
        return output


@dataclass(frozen=True)
class Line:
    """A line that a tool printed, and when it arrived here, in nanoseconds of the host's monotonic clock."""

    at_ns: int
    text: str


def lines_inside(instance: Instance, command: Sequence[str], *, timeout: float) -> list[Line]:
    """What a second command in a running instance prints on its standard output, line by line as it arrives.

    So a tool that writes a line before and one after its work lets the host take the time of that work, whatever clock
    the instance has. Raises what `run_inside` raises, and WorkloadFailed when the tool prints without end.
    """
    with TemporaryFile() as stderr, _Reader() as reader:
        execution = begin(instance, command, Stdio(stdout=reader.stdout, stderr=stderr.fileno()))
        exit_ = _end(execution, command, timeout)
        told = _text(stderr.fileno()).strip()
    if exit_.exit_status != 0:
        raise _failure(command, exit_, told or "\n".join(line.text for line in reader.lines))
    if reader.overflown:
        raise WorkloadFailed(f"{_words(command)} printed more than {_MOST_OUTPUT >> 20} MiB")
    return reader.lines


class _Reader:
    """A pipe whose lines a thread notes as they arrive: all that were written, once the context is left."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.overflown = False
        self._pipe, self.stdout = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.stdout, True)
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = Thread(target=self._run, name="isoscope-lines", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The end of the pipe need not come: what the command has started may live on and hold it open.
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        for descriptor in (self._pipe, self.stdout, self._stop):
            os.close(descriptor)

    def _run(self) -> None:
        rest, kept = b"", 0
        for at_ns, data in self._pieces():
            kept += len(data)
            if kept > _MOST_OUTPUT:  # it is read all the same, so that nobody stalls
                self.overflown = True
                continue
            *whole, rest = (rest + data).split(b"\n")
            self.lines += [Line(at_ns, line.decode("utf-8", "replace")) for line in whole]
        if rest:
            self.lines.append(Line(monotonic_ns(), rest.decode("utf-8", "replace")))

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        poll.register(self._stop, select.POLLIN)
        stopping = False
        while True:
            try:
                data = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                if stopping:
                    return
                stopping = any(descriptor == self._stop for descriptor, _ in poll.poll())
                continue
            yield monotonic_ns(), data


def begin(instance: Instance, command: Sequence[str], stdio: Stdio) -> Execution:
    """Start a tool. Raises CommandNotFound when the image lacks it, and InstanceFailed when the instance has ended."""
    try:
        return instance.exec(tuple(command), stdio)
    except StateError as error:  # whoever measures had it running: what is wrong is not the call
        raise InstanceFailed(f"the instance ended before {_words(command)}", hint=error.message) from error


def _end(execution: Execution, command: Sequence[str], timeout: float) -> Exit:
    try:
        return execution.wait(timeout)
    except Timeout:
        execution.kill(signal.SIGKILL)
        raise Timeout(f"{_words(command)} did not end within {timeout:g} s") from None


def _failure(command: Sequence[str], exit_: Exit, told: str) -> WorkloadFailed:
    oom = ", killed for want of memory" if exit_.oom_killed else ""
    return WorkloadFailed(
        f"{_words(command)} ended with status {exit_.exit_status}{oom}",
        hint=told.rpartition("\n")[2][-_LAST_WORDS:],
        command_status=exit_.exit_status,
    )


def _text(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "replace")


def _words(command: Sequence[str]) -> str:
    words = shlex.join(command)
    return words if len(words) <= 80 else f"{words[:79]}…"
