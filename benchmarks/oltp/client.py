"""sysbench's `oltp_read_only`: its commands, and its report, which is text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isoscope.benchmarks.oltp.server import USER
from isoscope.core.errors import WorkloadFailed

_NAME = "sysbench"

_LINE = re.compile(
    r"^ *(transactions|ignored errors|avg|99th percentile): +(?:[0-9]+ +\()?([0-9]+\.[0-9]+)(?: per sec\.\))?$",
    re.ASCII | re.MULTILINE,
)


@dataclass(frozen=True)
class Report:
    """What the clients found."""

    rate: float  #: transactions a second
    mean: float  #: ns
    p99: float  #: ns


def fill(address: str, port: int, *, rows: int) -> tuple[str, ...]:
    """Make the one table, with so many rows and its index."""
    return (*_command(address, port, rows), "prepare")


def ask(address: str, port: int, *, rows: int, threads: int, seconds: int) -> tuple[str, ...]:
    """So many clients, each with a connection of its own, for so long."""
    terms = (f"--threads={threads}", f"--time={seconds}", "--percentile=99")
    # Which rows: the distribution that sysbench has had since 0.4, a hundredth of the rows in three of four queries.
    return (*_command(address, port, rows), *terms, "--rand-type=special", "run")


def _command(address: str, port: int, rows: int) -> tuple[str, ...]:
    where = (f"--mysql-host={address}", f"--mysql-port={port}", f"--mysql-user={USER}", f"--mysql-db={USER}")
    return (_NAME, "oltp_read_only", "--db-driver=mysql", *where, "--tables=1", f"--table-size={rows}")


def read(output: str) -> Report:
    """The report. Raises WorkloadFailed when a figure is missing or 0, or a query was answered with an error."""
    found = {name: float(figure) for name, figure in _LINE.findall(output)}
    rate, mean, p99 = (found.get(name, 0.0) for name in ("transactions", "avg", "99th percentile"))
    if found.get("ignored errors") != 0 or not (rate and mean and p99):
        shown = output if len(output) <= 100 else f"{output[:99]}…"
        raise WorkloadFailed(
            f"{_NAME} printed what it does not print: {shown!r}", hint="see which sysbench the image has"
        )
    return Report(rate, mean * 1e6, p99 * 1e6)
