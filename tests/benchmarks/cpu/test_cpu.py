"""`cpu`: what sysbench and our LINPACK print, and a real run of both."""

from __future__ import annotations

from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.cpu import sysbench
from isoscope.benchmarks.cpu.benchmark import Cpu
from isoscope.core.errors import CommandNotFound, WorkloadFailed

SYSBENCH = """\
sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Running the test with following options:
Number of threads: 2

Prime numbers limit: 10000

Threads started!

CPU speed:
    events per second:   804.99

General statistics:
    total time:                          1.0032s
    total number of events:              808

Threads fairness:
    events (avg/stddev):           808.0000/0.00
"""
LINPACK = """\
{"begin":"linpack"}
{"solved":2,"operations":2000000,"simd":"avx2","ns":[1000000,4000000,2000000]}
"""


def test_what_both_tools_say(pretence: Any) -> None:
    pretence.outputs |= {"sysbench": SYSBENCH, "linpack": LINPACK}
    pretence.account = '{"account":{"ns":900000000,"user":808000,"system":808000}}'
    found = {value.metric.name: value for value in pretence.measure(Cpu(), time="3s", threads="2")}
    assert set(found) == {metric.name for metric in (*Cpu.headline, *Cpu.details)}
    assert found["cpu.events"].value == 804.99
    assert found["cpu.flops"].value == 2_000_000 / 0.002  # the median of the repetitions
    assert found["cpu.own_cpu"].value == 2000
    assert found["cpu.events"].labels["threads"] == 2
    assert found["cpu.events"].labels["command"] == "sysbench cpu --cpu-max-prime=10000 --threads=2 --time=3 run"
    assert found["cpu.flops"].labels["command"] == "linpack 3000 5"
    assert found["cpu.flops"].labels["simd"] == "avx2"
    assert "kernel" in found["cpu.flops"].labels
    assert SYSBENCH in pretence.kept["sysbench.txt"].decode()
    assert LINPACK in pretence.kept["linpack.jsonl"].decode()


def test_a_warm_up_is_short(pretence: Any) -> None:
    pretence.outputs |= {"sysbench": SYSBENCH, "linpack": LINPACK}
    pretence.measure(Cpu(), warmup=True, time="1m")
    assert [command[-2:] for command in pretence.commands] == [("--time=1", "run"), ("1000", "5")]


def test_sysbench_takes_whole_seconds() -> None:
    assert "--time=1" in sysbench.command(0.2, 1)
    assert "--time=4" in sysbench.command(3.6, 1)


@pytest.mark.parametrize(
    "output",
    [
        "",
        SYSBENCH.replace("events per second", "transactions"),
        SYSBENCH.replace("total number of events", "total"),
        SYSBENCH.replace("804.99", "nan"),
        SYSBENCH.replace("804.99", "-1"),
        SYSBENCH.replace("804.99", "0.00"),
        SYSBENCH.replace(" 808\n", " 0\n"),
    ],
)
def test_sysbench_saying_something_else(pretence: Any, output: str) -> None:
    pretence.outputs |= {"sysbench": output, "linpack": LINPACK}
    with pytest.raises(WorkloadFailed, match="sysbench printed what it does not print"):
        pretence.measure(Cpu())
    assert "sysbench.txt" in pretence.kept  # to be looked at


@pytest.mark.parametrize(
    "output",
    [
        "",
        LINPACK * 2,
        LINPACK.replace("2000000", '"many"', 1),
        LINPACK.replace("2000000", "0", 1),
        LINPACK.replace('"ns"', '"us"'),
        LINPACK.replace('"avx2"', "512"),
        LINPACK.replace("{", "", 1),
    ],
)
def test_linpack_saying_something_else(pretence: Any, output: str) -> None:
    pretence.outputs |= {"sysbench": SYSBENCH, "linpack": output}
    with pytest.raises(WorkloadFailed, match="linpack printed what it does not print"):
        pretence.measure(Cpu())


def test_an_image_without_the_tools(pretence: Any) -> None:
    pretence.statuses["sysbench"] = 127
    with pytest.raises(CommandNotFound, match="'sysbench'"):
        pretence.measure(Cpu())


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
def test_a_real_run(measured: Run) -> None:
    frame = measured.trials[(measured.trials["benchmark"] == "cpu") & ~measured.trials["warmup"]]
    assert set(frame["status"]) == {"ok"}, set(frame["reason"])
    assert (frame["value"] > 0).all()
    for variant in ("container", "vm"):
        found = set(frame.loc[frame["variant"] == variant, "metric"])
        assert found == {metric.name for metric in (*Cpu.headline, *Cpu.details)} | {"harness.trial"}
    kept = sorted(path.name.partition("-")[2] for path in (measured.directory / "raw/cpu").iterdir())
    assert kept == 4 * ["linpack.jsonl"] + 4 * ["sysbench.txt"]


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
def test_its_section_of_the_report(measured: Run) -> None:
    cautions = " ".join(Cpu().cautions(measured))
    accelerators = set(measured.trials["accelerator"])
    assert ("ran on TCG" in cautions) == ("tcg" in accelerators)
    figures = {figure.name: figure for figure in Cpu().figures(measured)}
    assert set(figures) == {"cpu-events", "cpu-flops", "cpu-time"}
    assert all("container" in figure.alternative and "vm" in figure.alternative for figure in figures.values())
