"""A program that is listened to while it runs: what it says, its end, and what is left of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from isoscope.benchmarks.network.tool import Tool
from isoscope.core import Lab, Workload
from isoscope.core.errors import CommandNotFound, Timeout, WorkloadFailed
from isoscope.core.instance import Instance

pytestmark = pytest.mark.root


@pytest.fixture
def instance(lab: Lab) -> Iterator[Instance]:
    with lab.start(Workload(command=("sleep", "infinity")), "container") as instance:
        yield instance


@pytest.fixture(autouse=True)
def nothing_is_left(instance: Instance) -> Iterator[None]:
    descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    yield
    assert len(os.listdir("/proc/self/fd")) <= descriptors  # an instance that has ended gave some back
    assert threading.active_count() == threads


def shell(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text)


def test_its_word_is_heard_while_it_goes_on(instance: Instance) -> None:
    with Tool(instance, shell("echo before; echo ready; exec sleep infinity")) as tool:
        tool.await_output(b"ready", 10)
        assert not tool.ends_within(0)


def test_it_is_killed_at_the_end(instance: Instance) -> None:
    with Tool(instance, shell("echo $$; exec sleep infinity")) as tool:
        tool.await_output(b"\n", 10)
        assert instance.stats().pids == 2
    assert instance.stats().pids == 1


def test_one_that_ends_without_its_word_is_said_to_have_failed(instance: Instance) -> None:
    with Tool(instance, shell("echo address in use >&2; exit 3")) as tool:
        with pytest.raises(WorkloadFailed, match="ended with status 3") as failed:
            tool.await_output(b"ready", 10)
        assert failed.value.hint == "address in use"
        assert failed.value.command_status == 3


def test_one_that_keeps_silent_is_not_waited_for_for_ever(instance: Instance) -> None:
    with Tool(instance, shell("exec sleep infinity")) as tool:
        with pytest.raises(Timeout, match="did not say 'ready'"):
            tool.await_output(b"ready", 0.05)
        with pytest.raises(Timeout, match="did not end"):
            tool.result(0.05)


def test_all_of_a_long_output_is_there_and_its_warnings_are_not(instance: Instance) -> None:
    with Tool(instance, shell("echo warning >&2; head -c 1000000 /dev/zero")) as tool:
        assert tool.result(30) == bytes(1_000_000)


def test_an_output_without_end_fills_no_memory(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoscope.benchmarks.network.tool._MOST", 1000)
    with Tool(instance, shell("head -c 1000000 /dev/zero; exit 1")) as tool:
        assert len(tool.result(30, statuses=(1,))) == 1000


def test_other_statuses_are_failures(instance: Instance) -> None:
    with Tool(instance, shell("echo the last word; exit 4")) as tool:
        with pytest.raises(WorkloadFailed) as failed:
            tool.result(10, statuses=(0, 1))
        assert failed.value.hint == "the last word"


def test_a_tool_that_the_image_lacks(instance: Instance) -> None:
    with pytest.raises(CommandNotFound):
        Tool(instance, ("no-such-tool",))


def test_an_instance_that_dies_ends_it(instance: Instance) -> None:
    with Tool(instance, shell("exec sleep infinity")) as tool:
        instance.kill(9)
        with pytest.raises(WorkloadFailed, match="status 137"):
            tool.await_output(b"ready", 10)


def test_the_end_is_heard_while_another_event_is_waited_for(instance: Instance) -> None:
    never, writing = os.pipe()
    with Tool(instance, ("true",)) as tool:
        assert tool.await_end_or(never, 10) is False
    os.write(writing, b"x")
    with Tool(instance, shell("exec sleep infinity")) as tool:
        assert tool.await_end_or(never, 10) is True
    os.close(never)
    os.close(writing)


def test_a_word_can_be_waited_for_beside_the_end_of_another_tool(instance: Instance) -> None:
    with (
        Tool(instance, shell("echo the; echo word; exec sleep infinity")) as teller,
        Tool(instance, shell("exec sleep infinity")) as other,
    ):
        assert other.await_end_or(teller.word(b"word\n"), 10) is True
    with (
        Tool(instance, shell("echo something else; exec sleep infinity")) as teller,
        Tool(instance, ("true",)) as other,
    ):
        assert other.await_end_or(teller.word(b"word"), 10) is False


def test_a_word_that_has_been_said_before_is_heard_all_the_same(instance: Instance) -> None:
    with Tool(instance, shell("echo the; echo word; exec sleep infinity")) as teller:
        teller.await_output(b"word", 10)
        assert teller.await_end_or(teller.word(b"the"), 10) is True
