"""The account around a tool: what is taken from it, and what is not taken on trust."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from isoscope.benchmarks import Benchmark, Trial, Value
from isoscope.benchmarks import accounted as accounted_module
from isoscope.benchmarks.accounted import Accounted, accounted, field, positive, record, spans, staying
from isoscope.benchmarks.cpu.metrics import CLOCK
from isoscope.core.errors import CommandNotFound, InputError, InstanceFailed, StateError, WorkloadFailed
from isoscope.core.instance import Instance
from isoscope.testing.fake import FakeInstance


class Once(Benchmark):
    """Runs one tool with its account, and remembers what came of it."""

    name = "once"
    summary = "for this test"
    workload = "none"
    headline = (CLOCK,)

    def __init__(self) -> None:
        self.done: Accounted | None = None

    def measure(self, trial: Trial) -> Iterator[Value]:
        with staying(trial) as instance:
            self.done = accounted(instance, ("tool", "--all"), timeout=10)
        yield Value(CLOCK, self.done.clock)


def test_what_an_account_says(pretence: Any) -> None:
    pretence.outputs["tool"] = "one\ntwo\n"
    once = Once()
    pretence.measure(once)
    done = once.done
    assert done is not None
    assert pretence.commands == [("tool", "--all")]
    assert [line.text for line in done.lines] == ["one", "two"]
    assert done.span_ns > 0
    assert done.clock_ns == 4_000_000
    assert done.clock == done.span_ns / 4_000_000
    assert done.own_cpu_ns == 4_000_000
    assert done.host_cpu_ns == 0  # the fake's stats stand still
    assert done.share == 0
    assert done.host_busy_ns >= 0
    first, *middle, last = done.text.decode().splitlines()
    assert json.loads(first) == {"command": ["tool", "--all"]}
    assert middle == ["one", "two"]
    assert json.loads(last)["account"]["user"] == 3_000_000


def test_a_backend_that_counts_nothing(pretence: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeInstance, "_stats", Instance._stats)  # which says that it is not supported
    once = Once()
    pretence.measure(once)
    assert once.done is not None
    assert once.done.host_cpu_ns is None
    assert once.done.share is None


@pytest.mark.parametrize(
    "account",
    [
        "",
        "not json",
        "[]",
        '{"account":[]}',
        '{"account":{}}',
        '{"account":{"ns":0,"user":1,"system":1}}',
        '{"account":{"ns":-4,"user":1,"system":1}}',
        '{"account":{"ns":"4","user":1,"system":1}}',
        '{"account":{"ns":true,"user":1,"system":1}}',
        '{"account":{"ns":4,"user":1}}',
        '{"account":{"ns":4,"user":1,"system":1.5}}',
    ],
)
def test_an_account_that_is_none(pretence: Any, account: str) -> None:
    pretence.account = account
    with pytest.raises(WorkloadFailed, match="account printed what it does not print"):
        pretence.measure(Once())


def test_lines_that_arrive_at_once_bound_nothing(pretence: Any) -> None:
    whole = '{"begin":"account"}\n{"account":{"ns":4,"user":1,"system":1}}\n'
    pretence.programs["account"] = lambda process: process.write(whole)
    with pytest.raises(WorkloadFailed, match="arrived with its last"):
        pretence.measure(Once())


def test_another_program_of_that_name(pretence: Any) -> None:
    pretence.programs["account"] = lambda process: process.write("Usage: account [user]\n")
    with pytest.raises(WorkloadFailed, match=r"Usage: account \[user\]"):
        pretence.measure(Once())


def test_an_image_without_the_tool(pretence: Any) -> None:
    pretence.statuses["tool"] = 127
    with pytest.raises(CommandNotFound, match="'tool'"):
        pretence.measure(Once())


def test_an_image_without_account(pretence: Any) -> None:
    pretence.missing = "account"
    with pytest.raises(CommandNotFound, match="'account'"):
        pretence.measure(Once())


def test_a_tool_that_fails(pretence: Any) -> None:
    pretence.outputs["tool"] = "no such option\n"
    pretence.statuses["tool"] = 2
    with pytest.raises(WorkloadFailed, match="account tool --all ended with status 2"):
        pretence.measure(Once())


def test_a_workload_that_ends_by_itself(pretence: Any) -> None:
    pretence.programs["stay"] = lambda _: None
    with pytest.raises(InputError, match="the workload ended by itself") as caught:
        pretence.measure(Once())
    assert "bench" in caught.value.hint
    assert isinstance(caught.value.__cause__, StateError)


def test_what_fails_while_the_workload_stays_is_no_fault_of_it(pretence: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise InstanceFailed("no more descriptors")

    monkeypatch.setattr(accounted_module, "_LINGER", 0.05)
    monkeypatch.setattr(FakeInstance, "_exec", fail)
    with pytest.raises(InstanceFailed, match="descriptors"):
        pretence.measure(Once())


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (lambda d: field(d, "x", int, "tool"), {}),
        (lambda d: field(d, "x", int, "tool"), {"x": "1"}),
        (lambda d: field(d, "x", int, "tool"), {"x": True}),
        (lambda d: positive(d, "x", "tool"), {"x": 0}),
        (lambda d: positive(d, "x", "tool"), {"x": 10**400}),
        (lambda d: spans(d, "x", "tool"), {"x": [1, 10**400]}),
        (lambda d: spans(d, "x", "tool"), {"x": []}),
        (lambda d: spans(d, "x", "tool"), {"x": 5}),
        (lambda d: spans(d, "x", "tool"), {"x": [1, 0]}),
        (lambda d: spans(d, "x", "tool"), {"x": [1, None]}),
        (lambda d: spans(d, "x", "tool"), {"x": [True]}),
        (lambda d: record(json.dumps(d["x"]), "tool"), {"x": [1]}),
        (lambda d: record("{" * 3, "tool"), {}),
        (lambda d: record("[" * 100_000, "tool"), {}),
    ],
)
def test_malformed_fields(read: Callable[[Any], Any], data: Any) -> None:
    with pytest.raises(WorkloadFailed, match="tool printed what it does not print"):
        read(data)
