"""The victim: a fixed piece of work in a running instance, timed from outside by what it prints."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from math import log2
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from time import monotonic_ns

from isoscope.core.errors import CommandNotFound, IsoscopeError, Timeout, WorkloadFailed
from isoscope.core.instance import Execution, Exit, Instance
from isoscope.core.output import Stdio

#: Seconds within which a victim is ready to begin, and within which it is dead once it has been killed.
_READY, _DIE = 30.0, 30.0

_LONGEST_COMPLAINT = 200

_LONGEST_WORD = 64  # characters of a line that are looked at; what an image prints is not ours

_MOST_UNITS = 1 << 40  # images/programs/victim.c takes no more


class End(StrEnum):
    """How a victim's work ended."""

    FINISHED = "finished"
    TIMED_OUT = "did not finish in time"
    OOM_KILLED = "was killed for want of memory"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of one piece of work."""

    end: End
    ns: int | None = None  #: from our word to its last, when it finished
    complaint: str = ""  #: what it, or we, said about a failure


#: What is heard of a running victim: a word of its output and when it came, or how it ended.
_Event = tuple[str, int] | Exit | IsoscopeError


class Victim:
    """Work of one kind in one instance."""

    def __init__(self, instance: Instance, kind: str) -> None:
        self._instance, self._kind = instance, kind

    def run(self, units: int, timeout: float) -> Outcome:
        """Do so many units of work, for at most `timeout` seconds from our word to begin.

        However it ends is an outcome. Raises CommandNotFound where the image has no such program.
        """
        try:
            with self._running(units) as running:
                return running.follow(timeout)
        except CommandNotFound:
            raise
        except IsoscopeError as error:  # it could not be started, or the instance ended under it
            return Outcome(End.TIMED_OUT if isinstance(error, Timeout) else End.FAILED, complaint=error.message)

    def calibrate(self, wanted_ns: int, timeout: float) -> int:
        """How many units take about `wanted_ns`: a power of two, so that looking again finds the same.

        Raises WorkloadFailed when the victim does not finish within `timeout` seconds, with nobody beside it.
        """
        units = 1
        while units <= _MOST_UNITS:
            # The shortest of three: a moment in which the host is busy must not make the work too small for good.
            took = min(self.alone(units, timeout) for _ in range(3))
            if took >= wanted_ns / 16:
                return int(2 ** max(0, round(log2(units * wanted_ns / took))))
            units *= 4
        raise WorkloadFailed("the victim's work takes no time, however much of it there is")

    def alone(self, units: int, timeout: float) -> int:
        """Nanoseconds for so many units with nobody beside. Raises WorkloadFailed when it does not finish."""
        outcome = self.run(units, timeout)
        if outcome.ns is None:
            raise WorkloadFailed(f"the victim {outcome.end} with nobody beside it", hint=outcome.complaint)
        return outcome.ns

    @contextmanager
    def _running(self, units: int) -> Iterator[_Running]:
        """A victim that was started; dead at the end. Raises Timeout when it does not even die."""
        running = _Running()
        try:
            execution = self._instance.exec(("victim", self._kind, str(units)), running.stdio)
            threading.Thread(target=_await, args=(execution, running.events), daemon=True).start()
            try:
                yield running
            finally:
                execution.kill(signal.SIGKILL)
                execution.wait(_DIE)
        except Timeout:
            raise  # it may live, and be written for: the numbers of its streams must not become another's
        except BaseException:
            running.close()
            raise
        running.close()


class _Running:
    """A victim that was started: its streams, what is heard of it, and the word that lets it begin."""

    def __init__(self) -> None:
        self.events: SimpleQueue[_Event] = SimpleQueue()
        self._complaints = TemporaryFile()  # noqa: SIM115 - it lives as long as the victim does
        self._input, self._go = os.pipe2(os.O_CLOEXEC)
        words, self._output = os.pipe2(os.O_CLOEXEC)
        self.stdio = Stdio(stdin=self._input, stdout=self._output, stderr=self._complaints.fileno())
        threading.Thread(target=_listen, args=(words, self.events), daemon=True).start()

    def close(self) -> None:
        """Close its streams. Who listens to it hears the end."""
        for fd in (self._input, self._go, self._output):
            os.close(fd)
        self._complaints.close()

    def follow(self, timeout: float) -> Outcome:
        """Let it begin once it is ready, and see how it ends."""
        began: int | None = None
        deadline = monotonic_ns() + int(_READY * 1e9)
        while True:
            try:
                event = self.events.get(timeout=max(0, deadline - monotonic_ns()) / 1e9)
            except Empty:
                return Outcome(End.TIMED_OUT)
            if isinstance(event, IsoscopeError):
                return Outcome(End.FAILED, complaint=event.message)
            if isinstance(event, Exit):
                if event.exit_status != 0:
                    return self._judge(event)
                continue  # it is done, and its last word is on its way to us
            word, at_ns = event
            if at_ns > deadline:  # and not just when nothing comes: an image may print for ever
                return Outcome(End.TIMED_OUT)
            if word == "ready" and began is None:
                began = monotonic_ns()
                deadline = began + int(timeout * 1e9)
                os.write(self._go, b"!")
            elif word == "end" and began is not None:
                return Outcome(End.FINISHED, at_ns - began)

    def _judge(self, how: Exit) -> Outcome:
        """What an end means that came before the last word."""
        if how.oom_killed:
            return Outcome(End.OOM_KILLED)
        told = os.pread(self._complaints.fileno(), _LONGEST_COMPLAINT, 0).decode("utf-8", "replace").strip()
        return Outcome(End.FAILED, complaint=told or f"it ended with status {how.exit_status}")


def _listen(fd: int, events: SimpleQueue[_Event]) -> None:
    """Report the first word of every line, with the moment at which the line was there; close the descriptor."""
    rest = b""
    while data := os.read(fd, 4096):
        at_ns = monotonic_ns()
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            events.put((line.split(b" ")[0].decode("utf-8", "replace"), at_ns))
        rest = rest[:_LONGEST_WORD]
    os.close(fd)


def _await(execution: Execution, events: SimpleQueue[_Event]) -> None:
    try:
        events.put(execution.wait())
    except IsoscopeError as error:
        events.put(error)
