"""`syscall`: what our program prints, and a real run of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.syscall.benchmark import Syscall
from isoscope.benchmarks.syscall.metrics import CALLS
from isoscope.core.errors import CommandNotFound, WorkloadFailed

OVERLAY = 0x794C7630


def printed(**first: Any) -> list[dict[str, Any]]:
    """What the program prints, for ten calls of each kind."""
    lines = [{"program": "syscalls", "seccomp": 2, "filesystem": OVERLAY} | first]
    for call in CALLS:
        lines += [{"begin": call}, {"call": call, "calls": 10, "ns": [1000, 9000, 2000]}]
    return lines


def text(lines: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def test_what_the_program_says(pretence: Any) -> None:
    pretence.outputs["syscalls"] = text(printed())
    values = pretence.measure(Syscall(), time="2s", repetitions="3")
    times = {one.labels["call"]: one.value for one in values if one.metric.name == "syscall.time"}
    assert times == dict.fromkeys(CALLS, 200)  # the median repetition, and ten calls in each
    (getpid,) = (o for o in values if o.metric.name == "syscall.time" and o.labels["call"] == "getpid")
    assert getpid.labels["command"] == "syscalls 2000 3 /tmp"
    assert (getpid.labels["seccomp"], getpid.labels["filesystem"]) == ("filter", "overlay")
    assert (getpid.labels["calls"], getpid.labels["repetitions"]) == (10, 3)
    for name in CALLS:
        host = {one.metric.name: one.value for one in values if one.labels.get("call") == name}
        assert host["syscall.clock"] == pytest.approx(host["syscall.host_time"] * 30 / 12000)
    assert text(printed()) in pretence.kept["syscalls.jsonl"].decode()


def test_lines_that_arrive_together_bound_no_call(pretence: Any, reader_awaited: Any) -> None:
    """As when a virtual machine's console is held up for longer than a kind of call takes."""
    whole = '{"begin":"account"}\n', text(printed()), '{"account":{"ns":4,"user":1,"system":1}}\n'

    def account(process: Any) -> None:
        for piece in whole:
            process.write(piece)
            reader_awaited(process)

    pretence.programs["account"] = account
    values = pretence.measure(Syscall())
    times = [one for one in values if one.metric.name == "syscall.time"]
    assert all(one.value == 200 for one in times)
    for one in values:
        if one.metric.name in ("syscall.host_time", "syscall.clock"):
            assert one.value is None
            assert "arrived with" in one.reason


def test_other_filters_and_file_systems(pretence: Any) -> None:
    pretence.outputs["syscalls"] = text(printed(seccomp=0, filesystem=0x1234))
    labels = pretence.measure(Syscall())[0].labels
    assert (labels["seccomp"], labels["filesystem"]) == ("none", "0x1234")


def test_a_warm_up_is_short(pretence: Any) -> None:
    pretence.outputs["syscalls"] = text(printed())
    pretence.measure(Syscall(), warmup=True, time="1m")
    assert pretence.commands[0][1] == "100"


def broken() -> list[tuple[str, list[dict[str, Any]]]]:
    short, swapped, unnamed, empty, negative = (printed() for _ in range(5))
    short.pop()
    swapped[1], swapped[3] = swapped[3], swapped[1]
    unnamed[2].pop("call")
    empty[2]["ns"] = []
    negative[2]["calls"] = -1
    return [
        ("nothing", []),
        ("short", short),
        ("swapped", swapped),
        ("unnamed", unnamed),
        ("empty", empty),
        ("negative", negative),
        ("no seccomp", printed(seccomp=None)),
        ("long", printed() * 2),
    ]


@pytest.mark.parametrize("lines", [lines for _, lines in broken()], ids=[name for name, _ in broken()])
def test_a_program_saying_something_else(pretence: Any, lines: list[dict[str, Any]]) -> None:
    pretence.outputs["syscalls"] = text(lines)
    with pytest.raises(WorkloadFailed, match="syscalls printed what it does not print"):
        pretence.measure(Syscall())


def test_an_image_without_the_program(pretence: Any) -> None:
    pretence.statuses["syscalls"] = 127
    with pytest.raises(CommandNotFound, match="'syscalls'"):
        pretence.measure(Syscall())


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
def test_a_real_run(measured: Run) -> None:
    frame = measured.trials[(measured.trials["benchmark"] == "syscall") & ~measured.trials["warmup"]]
    assert "failed" not in set(frame["status"]), set(frame["reason"])
    surroundings = {}
    for variant in ("container", "vm"):
        rows = frame[(frame["variant"] == variant) & (frame["metric"] == "syscall.time")]
        assert [labels["call"] for labels in rows["labels"]] == list(CALLS)
        assert (rows["value"] > 1).all()
        surroundings[variant] = {(labels["seccomp"], labels["filesystem"]) for labels in rows["labels"]}
    assert surroundings == {"container": {("filter", "overlay")}, "vm": {("none", "ext2/3/4")}}


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
def test_its_section_of_the_report(measured: Run) -> None:
    cautions = " ".join(Syscall().cautions(measured))
    assert "container: a seccomp filter" in cautions
    assert "container on overlay; vm on ext2/3/4" in cautions
    figures = {figure.name: figure for figure in Syscall().figures(measured)}
    assert set(figures) == {"syscall-time", "syscall-ratio"}
    assert all(call in figure.alternative for figure in figures.values() for call in CALLS)
