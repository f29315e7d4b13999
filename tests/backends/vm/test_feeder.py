"""A caller's standard input on its way into a guest."""

from __future__ import annotations

import os
import queue
import threading

import pytest
from isoscope.backends.vm.feeder import Feeder
from isoscope.backends.vm.protocol import STDIN_WINDOW


@pytest.fixture
def source():
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb", buffering=0) as file:
        yield reader, file
        os.close(reader)


def ended(feeder: Feeder) -> bool:
    feeder._thread.join(10)
    return not feeder._thread.is_alive()


def test_no_more_is_sent_than_the_guest_has_room_for(source):
    reader, writer = source
    sent: queue.Queue[bytes] = queue.Queue()
    feeder = Feeder(reader, lambda data: sent.put(data) is None)
    thread = threading.Thread(target=lambda: (writer.write(b"x" * 3 * STDIN_WINDOW), writer.close()))
    thread.start()
    total = 0
    while total < STDIN_WINDOW:
        total += len(sent.get(timeout=10))
    assert total == STDIN_WINDOW
    assert sent.empty()
    feeder.grant(100)
    assert len(sent.get(timeout=10)) == 100
    feeder.grant(10 * STDIN_WINDOW)
    while data := sent.get(timeout=10):
        total += len(data)
    assert total + 100 == 3 * STDIN_WINDOW, "and an empty piece comes last"
    assert ended(feeder)
    thread.join()


def test_it_stops_while_nothing_comes_and_takes_nothing_more(source):
    reader, writer = source
    feeder = Feeder(reader, lambda data: pytest.fail("nothing was to be sent"))
    feeder.stop()
    feeder.stop()
    assert ended(feeder)
    writer.write(b"for the next reader")
    assert os.read(reader, 100) == b"for the next reader"


def test_it_stops_while_it_waits_for_credit(source):
    reader, writer = source
    arrived = threading.Semaphore(0)
    feeder = Feeder(reader, lambda data: arrived.release() is None)
    # What fits the window, and what fits the pipe after it: the writer need not wait for a reader that stops.
    for _ in range(STDIN_WINDOW // 32768):
        writer.write(b"x" * 32768)
        assert arrived.acquire(timeout=10)
    writer.write(b"x")
    feeder.stop()
    assert ended(feeder)


def test_a_regular_file_can_be_sent(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    with (tmp_path / "file").open() as file:
        sent: list[bytes] = []
        feeder = Feeder(file.fileno(), lambda data: sent.append(data) is None)
        assert ended(feeder)
    assert sent == [b"content", b""]


def test_a_guest_that_has_gone_ends_it(source):
    reader, writer = source
    feeder = Feeder(reader, lambda data: False)
    writer.write(b"x")
    assert ended(feeder)
