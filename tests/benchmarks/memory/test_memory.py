"""`memory`: what our programs print, and a real run of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.memory import caches
from isoscope.benchmarks.memory.benchmark import Memory
from isoscope.benchmarks.memory.metrics import OPERATIONS
from isoscope.core.errors import InputError, WorkloadFailed

STREAM = """\
{"begin":"stream"}
{"end":"stream","huge":0}
{"operation":"copy","bytes":1000,"ns":[1000,4000,2000]}
{"operation":"scale","bytes":1000,"ns":[1000,1000,1000]}
{"operation":"add","bytes":3000,"ns":[1000,1000,1000]}
{"operation":"triad","bytes":3000,"ns":[1000,1000,1000]}
"""
FAULTS = """\
{"begin":"4k"}
{"pages":"4k","bytes":8192,"huge":0,"map":[10,20,10],"touch":[1000,4000,2000],"unmap":[100,100,100]}
{"begin":"thp"}
{"pages":"thp","bytes":8192,"huge":8192,"map":[10,10,10],"touch":[100,100,100],"unmap":[10,10,10]}
"""


def test_what_both_programs_say(pretence: Any) -> None:
    pretence.outputs |= {"stream": STREAM, "faults": FAULTS}
    values = pretence.measure(Memory(), array="32M", repetitions="3")
    bandwidth = {one.labels["operation"]: one.value for one in values if one.metric.name == "memory.bandwidth"}
    assert bandwidth == {"copy": 0.5e9, "scale": 1e9, "add": 3e9, "triad": 3e9}
    pages = {(one.metric.name, one.labels["pages"]): one.value for one in values if "pages" in one.labels}
    assert pages["memory.fault", "4k"] == 2110 / 2
    assert pages["memory.touch", "4k"] == 2000 / 2
    assert pages["memory.unmap", "4k"] == 100 / 2
    assert pages["memory.fault", "thp"] == 60
    programs = {one.labels["program"] for one in values if one.metric.name == "memory.own_cpu"}
    assert programs == {"stream", "faults"}
    assert pretence.commands == [("stream", "32", "3"), ("faults", "16", "3")]
    assert set(pretence.kept) == {"stream.jsonl", "faults.jsonl"}
    (copy,) = (one for one in values if one.labels.get("operation") == "copy")
    assert copy.labels["array_bytes"] == 32 << 20
    assert copy.labels["command"] == "stream 32 3"


def test_a_kernel_that_gives_no_huge_pages(pretence: Any) -> None:
    pretence.outputs |= {"stream": STREAM, "faults": FAULTS.replace('"huge":8192', '"huge":4096')}
    values = [one for one in pretence.measure(Memory()) if one.labels.get("pages") == "thp"]
    assert len(values) == 3
    assert all(one.value is None and "gave huge pages for" in one.reason for one in values)


def test_a_warm_up_repeats_nothing(pretence: Any) -> None:
    pretence.outputs |= {"stream": STREAM, "faults": FAULTS}
    pretence.measure(Memory(), warmup=True)
    assert [command[-1] for command in pretence.commands] == ["1", "1"]


@pytest.mark.parametrize(
    ("program", "before", "after"),
    [
        ("stream", STREAM, ""),
        ("stream", '"copy"', '"paste"'),
        ("stream", '{"operation":"add","bytes":3000,"ns":[1000,1000,1000]}\n', ""),
        ("stream", "[1000,4000,2000]", "[]"),
        ("stream", '"bytes":1000', '"bytes":null'),
        ("stream", '"huge":0', '"huge":"0"'),
        ("stream", '{"end":"stream","huge":0}\n', ""),
        ("faults", FAULTS, "Killed"),
        ("faults", '"pages":"thp"', '"pages":"4k"'),
        ("faults", '"map":[10,20,10]', '"map":[10]'),
        ("faults", '"unmap":[100', '"unmap":[-100'),
        ("faults", '"bytes":8192', '"bytes":0'),
    ],
)
def test_programs_saying_something_else(pretence: Any, program: str, before: str, after: str) -> None:
    pretence.outputs |= {"stream": STREAM, "faults": FAULTS}
    assert before in pretence.outputs[program]
    pretence.outputs[program] = pretence.outputs[program].replace(before, after)
    with pytest.raises(WorkloadFailed, match=f"{program} printed what it does not print"):
        pretence.measure(Memory())


def test_arrays_that_do_not_fit(pretence: Any) -> None:
    pretence.statuses["stream"] = 137
    with pytest.raises(WorkloadFailed, match="stream was killed") as caught:
        pretence.measure(Memory())
    assert "memory:array=" in caught.value.hint
    assert caught.value.command_status == 137


def test_the_size_of_the_arrays() -> None:
    (option,) = (option for option in Memory.options if option.name == "array")
    assert option.read("64M") == 64
    for wrong in ("1000", "1.3M", "0", "much"):
        with pytest.raises(InputError):
            option.read(wrong)


def test_the_largest_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_CACHES", tmp_path)
    assert caches.last_level_cache() == {}
    for index, size in enumerate(("32K\n", "16384K\n", "512K\n", "nonsense")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}/size").write_text(size)
    assert caches.last_level_cache() == {"llc_bytes": 16 << 20}


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
def test_a_real_run(measured: Run) -> None:
    frame = measured.trials[(measured.trials["benchmark"] == "memory") & ~measured.trials["warmup"]]
    assert "failed" not in set(frame["status"]), set(frame["reason"])
    for variant in ("container", "vm"):
        rows = frame[(frame["variant"] == variant) & (frame["metric"] == "memory.bandwidth")]
        assert [labels["operation"] for labels in rows["labels"]] == list(OPERATIONS)
        assert (rows["value"] > 1e6).all()
        faults = frame[(frame["variant"] == variant) & (frame["metric"] == "memory.fault")]
        assert [labels["pages"] for labels in faults["labels"]] == ["4k", "thp"]
        assert faults["value"].iloc[0] > 0
        assert faults["value"].iloc[1] > 0 or "huge pages" in faults["reason"].iloc[1]


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.slow
def test_its_section_of_the_report(measured: Run) -> None:
    cautions = " ".join(Memory().cautions(measured))
    assert "STREAM's arrays of 4 MiB are less than 4 times the last cache" in cautions or "not known" in cautions
    figures = {figure.name: figure for figure in Memory().figures(measured)}
    assert set(figures) == {"memory-bandwidth", "memory-fault"}
    assert all("container" in figure.alternative and "vm" in figure.alternative for figure in figures.values())
