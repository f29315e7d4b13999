"""Running a tool in an instance with an account of the time it took and of the CPU time behind it, on both sides."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from isoscope.benchmarks.benchmark import Trial
from isoscope.benchmarks.cpu_time import CpuTime
from isoscope.benchmarks.inside import Line, lines_inside
from isoscope.core.errors import CommandNotFound, InputError, IsoscopeError, Timeout, WorkloadFailed
from isoscope.core.instance import Instance

_PROGRAM = "account"  #: images/programs/account.c
_NO_SUCH_COMMAND = 127

_BOUND = 1 << 63

#: Seconds within which the end of a workload is seen that has made something else fail.
_LINGER = 1.0


@dataclass(frozen=True)
class Accounted:
    """What a tool printed, and what it took. Spans and CPU times are nanoseconds, its own start and end included."""

    command: tuple[str, ...]
    lines: tuple[Line, ...]  #: the tool's own
    account: Mapping[str, Any]  #: what the program `account` said
    span_ns: int  #: on the host, from the line before to the line after it
    clock_ns: int  #: the same by the instance's own clock
    own_cpu_ns: int  #: CPU time, user and system, by the account of the instance's kernel
    host_cpu_ns: int | None  #: CPU time that the host spent on the instance, its VMM included; None if not counted
    host_busy_ns: int  #: CPU time that the whole host was busy meanwhile, with whatever; in ticks of 10 ms

    @property
    def clock(self) -> float:
        """The host's span over the instance's: 1 when their clocks go alike."""
        return self.span_ns / self.clock_ns

    @property
    def share(self) -> float | None:
        """CPUs that the host gave to the instance on average: less than the tool's threads when it had to wait."""
        return None if self.host_cpu_ns is None else self.host_cpu_ns / self.span_ns

    @property
    def text(self) -> bytes:
        """The command and all that was printed, to be kept: lines of JSON, but for what a tool prints as text."""
        before, after = json.dumps({"command": self.command}), json.dumps({"account": self.account})
        lines = [before, *(line.text for line in self.lines), after]
        return "\n".join(lines).encode() + b"\n"

    def records(self) -> list[tuple[Line, dict[str, Any]]]:
        """The lines as JSON objects, each with its line. Raises WorkloadFailed when one is none."""
        return [(line, record(line.text, self.command[0])) for line in self.lines]


@contextmanager
def staying(trial: Trial) -> Iterator[Instance]:
    """A running instance of the trial's workload, for tools to be run in. Raises InputError when it ends by itself."""
    with trial.instance() as instance:
        instance.start()
        instance.wait_ready(trial.timeout)
        try:
            yield instance
        except IsoscopeError as error:
            if isinstance(error, WorkloadFailed) or not _ends(instance):
                raise
            raise InputError(
                "the workload ended by itself, and its instance with it, before the tools had run",
                hint="give one that stays, such as `bench`",
            ) from error


def _ends(instance: Instance) -> bool:
    """Whether the workload has ended; its end may be seen a little later than what comes of it."""
    try:
        instance.wait(_LINGER)
    except Timeout:
        return False
    return True


def accounted(instance: Instance, command: Sequence[str], *, timeout: float) -> Accounted:
    """Run a tool to its end, at most `timeout` seconds long.

    Raises CommandNotFound when the image lacks it or the program `account`, WorkloadFailed when it fails, and Timeout.
    """
    before = CpuTime.now(instance)
    try:
        found = lines_inside(instance, (_PROGRAM, *command), timeout=timeout)
    except WorkloadFailed as error:
        if error.command_status == _NO_SUCH_COMMAND and not isinstance(error, CommandNotFound):
            raise CommandNotFound(command[0]) from error
        raise
    cpu = CpuTime.now(instance) - before
    if len(found) < 2 or record(found[0].text, _PROGRAM) != {"begin": _PROGRAM}:
        raise malformed(_PROGRAM, found[0].text if found else "")
    span = found[-1].at_ns - found[0].at_ns
    if not span:
        raise WorkloadFailed(
            f"the first line of {_PROGRAM} arrived with its last", hint="the host could not time it: try again"
        )
    account = field(record(found[-1].text, _PROGRAM), _PROGRAM, dict, _PROGRAM)
    return Accounted(
        command=tuple(command),
        lines=tuple(found[1:-1]),
        account=account,
        span_ns=span,
        clock_ns=positive(account, "ns", _PROGRAM),
        own_cpu_ns=field(account, "user", int, _PROGRAM) + field(account, "system", int, _PROGRAM),
        host_cpu_ns=cpu.instance,
        host_busy_ns=cpu.host,
    )


# Reading what tools print, of which nothing is taken on trust


def record(text: str, tool: str) -> dict[str, Any]:
    """A line of JSON that holds an object. Raises WorkloadFailed for any other."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise malformed(tool, text)
    return found


def field(data: Mapping[str, Any], name: str, kind: type[Any], tool: str) -> Any:
    """A field of a record, of that type. Raises WorkloadFailed when it is missing or of another."""
    found = data.get(name)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise malformed(tool, json.dumps(data))
    return found


def positive(data: Mapping[str, Any], name: str, tool: str) -> int:
    """A field that is a whole number above 0, of at most 63 bits. Raises WorkloadFailed."""
    found: int = field(data, name, int, tool)
    if not 0 < found < _BOUND:
        raise malformed(tool, json.dumps(data))
    return found


def spans(data: Mapping[str, Any], name: str, tool: str) -> list[int]:
    """A field that is an array of such numbers, at least one. Raises WorkloadFailed."""
    found = field(data, name, list, tool)
    if not found or not all(type(one) is int and 0 < one < _BOUND for one in found):
        raise malformed(tool, json.dumps(data))
    return list(found)


def middle(numbers: Sequence[float]) -> float:
    """The median: what a trial makes of its repetitions, of which others' work may have stretched some."""
    return float(median(numbers))


def malformed(tool: str, text: str) -> WorkloadFailed:
    """The error for output that cannot be this tool's."""
    shown = text if len(text) <= 100 else f"{text[:99]}…"
    return WorkloadFailed(
        f"{tool} printed what it does not print: {shown!r}",
        hint="the image may be of another version: `isoscope image build bench` makes ours anew",
    )
