import os
import threading

import pytest
from isoscope.core.pump import Pump


@pytest.fixture
def pump():
    pump = Pump()
    yield pump
    pump.close()


def test_what_arrives_is_reported_until_the_descriptor_is_removed(pump):
    read_end, write_end = os.pipe()
    seen, arrived = [], threading.Semaphore(0)

    def callback():
        seen.append(os.read(read_end, 100))
        arrived.release()

    pump.add(read_end, callback)
    os.write(write_end, b"one")
    assert arrived.acquire(timeout=10)
    os.write(write_end, b"two")
    assert arrived.acquire(timeout=10)
    pump.remove(read_end)
    os.write(write_end, b"three")
    other_read, other_write = os.pipe()  # a second descriptor proves that the pump has been round once more
    pump.add(other_read, lambda: (os.read(other_read, 1), arrived.release()))
    os.write(other_write, b"x")
    assert arrived.acquire(timeout=10)
    assert seen == [b"one", b"two"]
    for fd in (read_end, write_end, other_write):
        os.close(fd)


def test_a_failing_callback_is_dropped_and_the_others_go_on(pump, caplog):
    read_end, write_end = os.pipe()
    arrived = threading.Semaphore(0)

    def fail():
        arrived.release()
        raise ValueError("broken on purpose")

    pump.add(read_end, fail)
    os.write(write_end, b"x")
    assert arrived.acquire(timeout=10)
    other_read, other_write = os.pipe()
    pump.add(other_read, lambda: (os.read(other_read, 1), arrived.release()))
    os.write(other_write, b"x")
    assert arrived.acquire(timeout=10)
    assert "broken on purpose" in caplog.text
    assert not arrived.acquire(blocking=False)


def test_a_descriptor_removed_by_another_callback_of_the_same_round_is_not_called(pump):
    pipes = [os.pipe() for _ in range(2)]
    called, gate, done = [], threading.Event(), threading.Event()
    gate_read, gate_write = os.pipe()

    def callback(mine, other):
        called.append(mine)
        pump.remove(mine)
        pump.remove(other)
        done.set()

    # The first round is held open until both descriptors are readable, so that the second round has both.
    pump.add(gate_read, lambda: (pump.remove(gate_read), gate.wait(10)))
    os.write(gate_write, b"x")
    (first, first_write), (second, second_write) = pipes
    pump.add(first, lambda: callback(first, second))
    pump.add(second, lambda: callback(second, first))
    os.write(first_write, b"x")
    os.write(second_write, b"x")
    gate.set()
    assert done.wait(10)
    pump.close()
    assert len(called) == 1


def test_closing_ends_the_thread_and_is_idempotent():
    pump = Pump()
    read_end, _ = os.pipe()
    pump.add(read_end, lambda: None)
    thread = pump._thread
    pump.close()
    pump.close()
    assert not thread.is_alive()
