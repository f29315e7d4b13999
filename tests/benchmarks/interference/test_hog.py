"""The neighbours' program holds itself: what it is told is a ceiling, and it ends with its parent, or when told."""

from __future__ import annotations

import json
import signal

import pytest

MIB = 1 << 20


def end(process):
    """Its words after `active`, once nothing of it is left that could write."""
    assert process.stdout.readline() == "active\n"
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)  # to the end of its output: all of its processes have it open
    assert (process.returncode, errors) == (0, "")
    return json.loads(output)


def test_cpu(hog, start):
    report = end(start(hog, "cpu", 60, 2))
    assert report["done"] >= 2


def test_memory_takes_what_it_was_told(hog, start):
    report = end(start(hog, "memory", 60, 8 * MIB))
    assert report["bytes"] == 8 * MIB
    assert report["oom_kills"] == 0


def test_disk_writes_one_file_of_what_it_was_told_and_leaves_none(hog, start, tmp_path):
    process = start(hog, "disk", 60, 10 * MIB)
    report = end(process)
    assert 8 * MIB <= report["bytes"] <= 10 * MIB
    assert report["done"] >= report["bytes"]


def test_a_fork_bomb_stays_below_its_own_ceiling(hog, start):
    report = end(start(hog, "fork-bomb", 60, 20))
    assert 10 <= report["tasks"] <= 20
    assert report["done"] >= 10


def test_it_ends_by_itself(hog, start):
    process = start(hog, "fork-bomb", 1, 10)
    output, _ = process.communicate(timeout=60)
    assert output.startswith("active\n{")
    assert process.returncode == 0


@pytest.mark.parametrize("mode", [("cpu", 2), ("memory", 8 * MIB), ("fork-bomb", 20)])
def test_it_dies_with_whoever_started_it(hog, start, mode):
    parent = start("sh", "-c", '"$@" & wait', "sh", hog, mode[0], 60, mode[1])
    assert parent.stdout.readline() == "active\n"
    parent.kill()
    output, _ = parent.communicate(timeout=60)  # to the end: nothing of it is left
    assert output == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("cpu", 60, 513),
        ("memory", 60, (2 << 30) + 1),
        ("disk", 60, (1 << 30) + 1),
        ("fork-bomb", 60, 513),
        ("cpu", 901, 1),
        ("cpu", 60, 0),
        ("cpu", 60, "1x"),
        ("cpu", 60),
        ("network", 60, 1),
    ],
)
def test_it_does_not_run_beyond_what_is_safe(hog, start, arguments):
    process = start(hog, *arguments)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == ""
    assert errors
