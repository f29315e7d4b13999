"""What fio is asked to do."""

from __future__ import annotations

import configparser

import pytest
from isoscope.benchmarks.disk.benchmark import Disk
from isoscope.benchmarks.disk.phases import PHASES, Plan, read_phases
from isoscope.benchmarks.request import Request
from isoscope.core.errors import InputError

PLAN = Plan("/data/isoscope.fio", 64 << 20, 1.5, 0.1)
JOBS = [PLAN.layout(), *map(PLAN.phase, PHASES), PLAN.flush()]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_text_that_is_kept_is_what_fio_was_told(job):
    text = configparser.ConfigParser()
    text.read_string(job.text())
    told = [f"--name={job.name}", *(f"--{key}={value}" for key, value in text[job.name].items())]
    assert job.arguments() == told


def test_the_phases_are_those_of_felter2014_in_order():
    shape = [
        (job.parameters["rw"], job.parameters["bs"], job.parameters["iodepth"], job.parameters["numjobs"])
        for job in map(PLAN.phase, PHASES)
    ]
    assert shape == [
        ("write", "1M", "16", "1"),
        ("read", "1M", "1", "1"),
        ("read", "1M", "2", "1"),
        ("randwrite", "4k", "16", "1"),
        ("randwrite", "4k", "16", "8"),
        ("randread", "4k", "16", "1"),
        ("randread", "4k", "16", "8"),
        ("randrw", "4k", "32", "8"),
    ]


def test_phases_go_past_the_cache_on_one_file_by_the_clock():
    for phase in PHASES:
        found = PLAN.phase(phase).parameters
        assert (found["ioengine"], found["direct"], found["thread"], found["randrepeat"]) == ("libaio", "1", "1", "0")
        assert (found["filename"], found["size"]) == (PLAN.file, str(PLAN.size))
        assert (found["time_based"], found["runtime"], found["ramp_time"]) == ("1", "1500ms", "100ms")
    assert PLAN.phase(PHASES[-1]).parameters["rwmixread"] == "70"


def test_the_file_is_laid_out_whole_and_not_by_the_clock():
    found = PLAN.layout().parameters
    assert "time_based" not in found
    assert "runtime" not in found
    assert found["fallocate"] == "none"
    assert found["end_fsync"] == "1"


def test_reads_and_writes_of_the_mixed_phase_are_kept_apart():
    series = [name for phase in PHASES for name in phase.series.values()]
    assert len(set(series)) == len(series) == 9
    assert PHASES[-1].series == {"read": "mixed-reads", "write": "mixed-writes"}


def test_some_phases_stay_in_order():
    assert [phase.name for phase in read_phases("mixed+seq-read")] == ["seq-read", "mixed"]
    assert read_phases("all") == PHASES


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("phases", "rand-reed"),
        ("phases", ""),
        ("size", "8M"),
        ("size", "16.5M"),
        ("size", "much"),
        ("runtime", "0"),
        ("runtime", "nan"),
        ("runtime", "inf"),
        ("runtime", "1s"),
        ("ramp", "-1"),
        ("direct", "0"),
    ],
)
def test_wrong_options_are_refused_with_a_hint(option, value):
    with pytest.raises(InputError) as raised:
        Request("disk", {option: value}).resolve(Disk.options, quick=False)
    assert raised.value.hint
