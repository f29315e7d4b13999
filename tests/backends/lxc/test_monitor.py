"""LXC's messages, and that nothing of them stays in /run/lxc."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from isoscope.backends.lxc import monitor
from isoscope.backends.lxc.monitor import Monitor

NAME = "isoscope-0123456789ab"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "_RUN", tmp_path / "run")
    return tmp_path / "home/instances/0123456789ab"


def fifo_of(place: Path) -> Path:
    return monitor._RUN / place.relative_to("/") / "monitor-fifo"


def message(kind: int, value: int) -> bytes:
    return struct.pack("=i256si", kind, NAME.encode(), value)


def test_states_and_the_wait_status_in_their_order(place):
    told = Monitor(place)
    try:
        assert list(told.said()) == []
        fifo = os.open(fifo_of(place), os.O_WRONLY | os.O_NONBLOCK)
        os.write(fifo, message(0, 1) + message(0, 2))
        assert list(told.said()) == ["STARTING", "RUNNING"]
        os.write(fifo, message(2, 7 << 8) + message(0, 3))
        os.close(fifo)
        assert list(told.said()) == [7 << 8, "STOPPING"]
        assert list(told.said()) == [], "that nobody writes any more is no event"
    finally:
        told.close()


def test_what_it_does_not_know_is_passed_over(place):
    told = Monitor(place)
    try:
        fifo = os.open(fifo_of(place), os.O_WRONLY | os.O_NONBLOCK)
        os.write(fifo, message(0, 99) + message(1, 1) + message(0, 2))
        os.close(fifo)
        assert list(told.said()) == ["RUNNING"]
    finally:
        told.close()


def test_all_of_it_goes_but_not_what_others_may_use(place, tmp_path):
    Monitor(place).close()
    run: Path = tmp_path / "run"
    lock = run / "lock" / place.relative_to("/")
    lock.mkdir(parents=True)
    (lock / f".{NAME}").touch()
    home = tmp_path / "home"
    for _ in range(2):
        monitor.remove(place, NAME, home)
        left = [path for path in run.rglob("*") if "home" in path.name or "home" in str(path.relative_to(run))]
        assert left == []
    assert (run / tmp_path.relative_to("/")).exists()


def test_another_containers_place_stays(place, tmp_path):
    Monitor(place).close()
    other = tmp_path / "run" / (tmp_path / "home/instances/other").relative_to("/")
    other.mkdir()
    monitor.remove(place, NAME, tmp_path / "home")
    assert other.exists()
    assert not fifo_of(place).parent.exists()
