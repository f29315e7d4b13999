"""redis-server and redis-benchmark: their commands, and the table that the latter prints with `--csv`."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass

from isoscope.core.errors import WorkloadFailed

#: What the server says once it listens.
READY = b"Ready to accept connections"

#: Requests that are measured, by their names in the report.
COMMANDS = ("SET", "GET")

_SIZE = 50  #: bytes of a value
_KEYS = 100_000  #: keys, drawn at random


@dataclass(frozen=True)
class Report:
    """What a client found of one request."""

    rate: float  #: a second
    p50: float  #: ns
    p99: float


def server(address: str, port: int) -> tuple[str, ...]:
    """A server that keeps nothing on disk, and listens where its clients ask and nowhere else."""
    return (
        "redis-server",
        *("--port", str(port)),
        *("--bind", address),
        *("--protected-mode", "no"),
        *("--save", ""),
        *("--appendonly", "no"),
    )


def client(address: str, port: int, *, connections: int, requests: int) -> tuple[str, ...]:
    """A client with so many connections, which makes so many of each request."""
    return (
        "redis-benchmark",
        *("-h", address, "-p", str(port)),
        *("-c", str(connections), "-n", str(requests)),
        *("-t", ",".join(COMMANDS).lower(), "-d", str(_SIZE), "-r", str(_KEYS)),
        "--csv",
    )


def read(output: str) -> dict[str, Report]:
    """The report of each request. Raises WorkloadFailed when one is missing or is none."""
    rows = {row.get("test"): row for row in csv.DictReader(output.splitlines())}
    try:
        return {name: _report(rows[name]) for name in COMMANDS}
    except (KeyError, TypeError, ValueError) as error:
        shown = output if len(output) <= 100 else f"{output[:99]}…"
        raise WorkloadFailed(
            f"redis-benchmark printed what it does not print: {shown!r}", hint="see which redis the image has"
        ) from error


def _report(row: dict[str, str]) -> Report:
    return Report(_positive(row["rps"]), _positive(row["p50_latency_ms"]) * 1e6, _positive(row["p99_latency_ms"]) * 1e6)


def _positive(text: str) -> float:
    if not 0 < (found := float(text)) < math.inf:
        raise ValueError(f"{text!r} is no measure")
    return found
