"""The programs that a fake image holds: enough for tests of the harness and of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from isoscope.testing.fake_process import FakeProcess, Program


def echo(process: FakeProcess) -> None:
    """Print the arguments."""
    process.write(" ".join(process.argv[1:]) + "\n")


def cat(process: FakeProcess) -> None:
    """Copy standard input to standard output."""
    while piece := process.read():
        process.write(piece)


def sleep(process: FakeProcess) -> None:
    """Let time pass: as many seconds as the argument says."""
    process.tick(float(process.argv[1]))


def printenv(process: FakeProcess) -> int:
    """Print a variable, or all."""
    if len(process.argv) == 1:
        process.write("".join(f"{name}={value}\n" for name, value in process.environment.items()))
        return 0
    value = process.environment.get(process.argv[1])
    if value is not None:
        process.write(f"{value}\n")
    return 0 if value is not None else 1


def exit_with(process: FakeProcess) -> int:
    """End with the status that the argument says."""
    return int(process.argv[1])


#: By name; None stands for a file that is not executable.
PROGRAMS: Mapping[str, Program | None] = MappingProxyType(
    {
        "/": None,
        "cat": cat,
        "echo": echo,
        "exit": exit_with,
        "false": lambda _: 1,
        "printenv": printenv,
        "sleep": sleep,
        "true": lambda _: 0,
    }
)
