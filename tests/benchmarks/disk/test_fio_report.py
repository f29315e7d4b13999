"""Reading what fio reports, and telling why it failed."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace

import pytest
from isoscope.benchmarks.disk import fio
from isoscope.benchmarks.disk.phases import Job
from isoscope.core.errors import CommandNotFound, InstanceFailed, Timeout, WorkloadFailed

TIMES = {"mean": 2000.0, "percentile": {"50.000000": 1000, "99.000000": 9000}, "N": 5}
NOTHING = {"total_ios": 0, "runtime": 0, "bw_bytes": 0, "iops": 0, "clat_ns": {"N": 0}}
READS = {"total_ios": 5, "runtime": 500, "bw_bytes": 40960, "iops": 10.0, "clat_ns": TIMES}
REPORT = {"jobs": [{"error": 0, "read": READS, "write": NOTHING, "sync": {"total_ios": 0, "lat_ns": {"N": 0}}}]}


def changed(**fields):
    report = copy.deepcopy(REPORT)
    report["jobs"][0].update(fields)
    return json.dumps(report)


def test_a_report_is_read_whatever_stands_before_it():
    found = fio.read("fio: a note\n" + json.dumps(REPORT), "x")
    assert found.sides == {"read": fio.Side(40960.0, 10.0, 2000.0, 1000.0, 9000.0)}
    assert (found.runtime, found.flush, found.writes) == (0.5, None, 0)
    assert json.loads(found.raw.partition(b"\n")[2]) == REPORT


def test_flushes_are_counted_where_fio_counts_them():
    """fio 3.33 leaves `total_ios` of `sync` at 0."""
    found = fio.read(changed(write={**READS, "total_ios": 7}, sync={"total_ios": 0, "lat_ns": TIMES}), "x")
    assert (found.flush, found.writes) == (1000.0, 7)


@pytest.mark.parametrize(
    "output",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"jobs": []}',
        '{"jobs": [1]}',
        '{"jobs": 1}',
        "[" * 100_000 + "{",
        '{"a":' * 100_000,
        changed(error="what"),
        changed(error=1e400),
        changed(read=None),
        changed(read={**READS, "total_ios": "many"}),
        changed(read={**READS, "iops": 0}),
        changed(read={**READS, "iops": -1}),
        changed(read={**READS, "bw_bytes": 1e999}),
        changed(read={**READS, "clat_ns": {"percentile": {}}}),
        changed(sync={}),
    ],
)
def test_nonsense_is_refused(output):
    with pytest.raises(WorkloadFailed, match="report of phase 'x' cannot be read"):
        fio.read(output, "x")


def test_a_report_of_failure_is_one():
    with pytest.raises(WorkloadFailed, match="phase 'x': No space left on device") as raised:
        fio.read(changed(error=28), "x")
    assert raised.value.hint == "the disk is full"


def test_nothing_completed_is_no_zero():
    with pytest.raises(WorkloadFailed, match="completed nothing"):
        fio.read(changed(read=NOTHING), "x")


def failing(monkeypatch, error, *, ended=False):
    def run_inside(*_, **__):
        raise error

    def wait(timeout):
        if not ended:
            raise Timeout("it runs")

    monkeypatch.setattr(fio, "run_inside", run_inside)
    return SimpleNamespace(wait=wait)


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("fio: pid=0, err=28/file:io_u.c:1, error=No space left on device", "the disk is full"),
        ("fio: looks like your file system does not support direct=1/buffered=0", "knows no O_DIRECT"),
        ("fio: destination does not support O_DIRECT", "knows no O_DIRECT"),
        ("fio: pid=0, err=5/file:io_u.c:1, error=Input/output error", "when the host's disk is full"),
    ],
)
def test_what_fio_says_last_is_told_in_words(monkeypatch, said, meaning):
    instance = failing(monkeypatch, WorkloadFailed("fio ended with status 1", hint=said))
    with pytest.raises(WorkloadFailed, match="phase 'seq-read'") as raised:
        fio.run(instance, Job("seq-read"), timeout=1)
    assert meaning in raised.value.message
    assert raised.value.hint == said


def test_an_instance_that_died_is_told_from_fio_that_failed(monkeypatch):
    instance = failing(monkeypatch, WorkloadFailed("fio ended with status 137", command_status=137), ended=True)
    with pytest.raises(InstanceFailed, match="ended in fio's phase 'seq-read'"):
        fio.run(instance, Job("seq-read"), timeout=1)


def test_an_image_without_fio_says_so(monkeypatch):
    instance = failing(monkeypatch, CommandNotFound("fio"))
    with pytest.raises(CommandNotFound):
        fio.run(instance, Job("seq-read"), timeout=1)


def test_a_phase_that_takes_too_long_is_named(monkeypatch):
    with pytest.raises(Timeout, match="phase 'seq-read' did not end within 1 s"):
        fio.run(failing(monkeypatch, Timeout("late")), Job("seq-read"), timeout=1)
