"""Lines of a tool as they arrive, from real processes and from some that pretend."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns

import pytest
from isoscope.benchmarks import inside
from isoscope.benchmarks.inside import Line, lines_inside, run_inside
from isoscope.core import Lab, Workload
from isoscope.core.errors import CommandNotFound, InstanceFailed, Timeout, WorkloadFailed
from isoscope.core.instance import Instance
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.fake_process import FakeProcess
from isoscope.testing.fake_programs import PROGRAMS


@pytest.fixture
def instance(lab: Lab) -> Iterator[Instance]:
    """A plain process that stays, with a shell beside it."""
    workload = Workload(image="base", command=("sh", "-c", "echo ready; exec sleep infinity"))
    with lab.start(workload, backend="process") as instance:
        instance.wait_ready(10)
        yield instance


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def fake_lines(home: Path, program: Callable[[FakeProcess], None]) -> list[Line]:
    """What a function prints that stands in for a tool."""
    plugin = FakePlugin(programs={**PROGRAMS, "tool": program})
    with lab_with(home, plugin) as lab, lab.start(Workload(command=("sleep", "60")), backend="fake") as instance:
        return lines_inside(instance, ["tool"], timeout=10)


def test_lines_are_stamped_as_they_arrive(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamped, between = threading.Event(), []

    def stamp() -> int:
        found = monotonic_ns()
        stamped.set()
        return found

    def tool(process: FakeProcess) -> None:
        process.write("one\n")
        assert stamped.wait(30)
        between.append(monotonic_ns())
        process.write("two\nthree\n")

    monkeypatch.setattr(inside, "monotonic_ns", stamp)
    began = monotonic_ns()
    one, two, three = fake_lines(home, tool)
    assert began < one.at_ns < between[0] < two.at_ns <= three.at_ns < monotonic_ns()


def test_every_line_of_a_real_tool_is_there(instance: Instance) -> None:
    found = lines_inside(instance, sh("echo one; echo; printf three"), timeout=10)
    assert [line.text for line in found] == ["one", "", "three"]


def test_what_is_no_text_is_replaced(instance: Instance) -> None:
    (line,) = lines_inside(instance, sh(r"printf 'a\377b\n'"), timeout=10)
    assert line.text == "a\N{REPLACEMENT CHARACTER}b"


def test_nobody_waits_for_what_a_tool_leaves_behind(instance: Instance) -> None:
    """A process that lives on holds the pipe open; its end never comes."""
    found = lines_inside(instance, sh("sleep 1000 & echo $!; echo done"), timeout=30)  # else the test would time out
    assert found[-1].text == "done"
    lines_inside(instance, ["kill", found[0].text], timeout=10)


def test_a_tool_that_does_not_end_is_killed(instance: Instance) -> None:
    with pytest.raises(Timeout, match=r"sleep 61 did not end within 0.2 s"):
        lines_inside(instance, ["sleep", "61"], timeout=0.2)
    told = lines_inside(instance, sh("ps -o args | grep -c '[s]leep 61' || true"), timeout=10)
    assert [line.text for line in told] == ["0"]


def test_a_tool_that_fails(instance: Instance) -> None:
    with pytest.raises(WorkloadFailed, match="ended with status 3") as caught:
        lines_inside(instance, sh("echo out; echo no >&2; exit 3"), timeout=10)
    assert caught.value.hint == "no"
    assert caught.value.command_status == 3
    with pytest.raises(WorkloadFailed) as caught:
        lines_inside(instance, sh("echo all that it says; exit 1"), timeout=10)
    assert caught.value.hint == "all that it says"


def test_a_tool_that_there_is_not(instance: Instance) -> None:
    with pytest.raises(CommandNotFound, match="'missing'"):
        lines_inside(instance, ["missing"], timeout=10)


def test_a_tool_that_prints_without_end(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_MOST_OUTPUT", 1 << 20)
    assert len(lines_inside(instance, sh("yes | head -c 1000000"), timeout=20)) == 500_000
    with pytest.raises(WorkloadFailed, match="printed more than 1 MiB"):
        lines_inside(instance, sh("yes | head -c 3000000"), timeout=20)


def test_lines_in_pieces_are_put_together(home: Path, reader_awaited: Callable[[FakeProcess], None]) -> None:
    def mumble(process: FakeProcess) -> None:
        for piece in ("o", "ne\ntw", "o", "\nthree"):
            process.write(piece)
            reader_awaited(process)

    assert [line.text for line in fake_lines(home, mumble)] == ["one", "two", "three"]


@pytest.mark.parametrize("ask", [run_inside, lines_inside])
def test_an_instance_that_has_ended_is_what_failed(instance: Instance, ask: Callable[..., object]) -> None:
    instance.kill(9)
    instance.wait(30)
    with pytest.raises(InstanceFailed, match="ended before true"):
        ask(instance, ["true"], timeout=10)
