"""A followed process, where its end and its output meet."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import pytest
from isoscope.backends.launcher.task import Task
from isoscope.core.instance import Exit
from isoscope.core.pump import Pump


class HeldPump:
    """A pump that calls back when the test says so, as one does that found several descriptors readable at once."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[[], None]] = {}

    def add(self, fd: int, callback: Callable[[], None]) -> None:
        self.callbacks[fd] = callback

    def remove(self, fd: int) -> None:
        """It may have begun to call: `callbacks` stays as it is."""


@pytest.fixture
def followed() -> tuple[Task, HeldPump, int, list[Any]]:
    """A task whose process has ended, with a stream that the pump is about to read."""
    pump, seen = HeldPump(), list[Any]()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.posix_spawn("/bin/true", ["true"], {})
    pidfd = os.pidfd_open(pid)
    task = Task(
        cast("Pump", pump),
        pidfd,
        {"stderr": reading},
        on_output=lambda *piece: seen.append(piece[:2]),
        on_exit=lambda how, _: seen.append(how),
    )
    task.follow()
    os.write(writing, b"last words")
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    pump.callbacks[pidfd]()
    os.close(writing)
    return task, pump, reading, seen


def test_what_was_written_before_the_end_is_seen_before_it(followed: tuple[Task, HeldPump, int, list[Any]]) -> None:
    task, _, _, seen = followed
    assert seen == [("stderr", b"last words"), Exit(code=0)]
    task.close()


def test_a_stream_that_is_closed_while_the_pump_turns_to_it(followed: tuple[Task, HeldPump, int, list[Any]]) -> None:
    task, pump, reading, seen = followed
    task.close()
    other, writing = os.pipe2(os.O_CLOEXEC)
    os.write(writing, b"another's")
    os.dup2(other, reading)  # the number is given again
    del seen[:]
    pump.callbacks[reading]()
    assert seen == []
    assert os.read(other, 100) == b"another's"
    for fd in {other, writing, reading}:
        os.close(fd)


def test_a_stream_that_ends_while_it_is_closed(followed: tuple[Task, HeldPump, int, list[Any]]) -> None:
    task, pump, reading, _ = followed
    pump.callbacks[reading]()  # its end
    task.close()
