"""How soon an answer is there: requests and replies of the same size over one TCP connection, by fio's engine `net`.

fio(1), "pingpong": the writer sends and waits until the reader has sent as much back, and only then goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from isoscope.benchmarks.network.answers import number, parse
from isoscope.benchmarks.network.metrics import LATENCY
from isoscope.core.errors import WorkloadFailed

NAME = "fio"
TEST = "latency"  #: as the files of a run are called

#: What the server says once it listens.
READY = b"waiting for connection"

#: What a client that tells says as it begins.
BEGUN = b"isoscope: begun"

_COMMON = ("--thread", "--ioengine=net", "--protocol=tcp", "--pingpong=1", "--nodelay=1", "--size=1t")

#: The share of the time asked for that a test has to last: one that ends before was cut off.
_WHOLE = 0.9


@dataclass(frozen=True)
class Latency:
    """What a client measured."""

    percentiles: dict[str, float]  #: nanoseconds, by the keys of `LATENCY`
    transactions: float  #: a second
    lasted: float  #: seconds on the client's clock


def file_name(path: str) -> str:
    """The name under which a trial keeps what a client printed for a path."""
    return f"{TEST}-{path}.json"


def server(port: int, *, size: int) -> tuple[str, ...]:
    """A server for one connection. It listens on every address of its network namespace; fio knows no other way."""
    return (NAME, "--name=server", *_COMMON, "--listen", f"--port={port}", "--rw=read", f"--bs={size}")


def client(address: str, port: int, *, seconds: int, size: int, tells: bool) -> tuple[str, ...]:
    """A client that prints percentiles and the whole histogram that they come from; and with `tells`, before it asks
    for a connection, that it has begun.
    """
    to = (f"--hostname={address}", f"--port={port}", "--rw=write", f"--bs={size}")
    # Else fio takes a processor's own counter where that is steady, and finds out its rate by itself.
    how_long = ("--time_based", f"--runtime={seconds}", "--clocksource=clock_gettime")
    # fio would have a shell write to a file what this one says; what it appends for that is in the comment.
    word = (f"--exec_prerun=echo {BEGUN.decode()} #",) if tells else ()
    return (NAME, "--name=client", *_COMMON, *to, *how_long, *word, "--output-format=json+", _percentile_list())


def latency(output: bytes, *, seconds: int) -> Latency:
    """Percentiles and rate, from what a client printed. Raises WorkloadFailed, also for a test that was cut short."""
    answer = parse(NAME, output)
    lasted = number(NAME, answer, "jobs", 0, "write", "runtime") / 1000
    if lasted < _WHOLE * seconds:
        raise WorkloadFailed(
            f"{NAME} was cut off after {lasted:.3g} of {seconds} s", hint="the other end may have died"
        )
    times = ("jobs", 0, "write", "clat_ns", "percentile")
    return Latency(
        percentiles={name: number(NAME, answer, *times, f"{float(name):.6f}") for name in LATENCY},
        transactions=number(NAME, answer, "jobs", 0, "write", "total_ios") / lasted,
        lasted=lasted,
    )


def histogram(output: bytes) -> dict[float, int]:
    """Transactions by their nanoseconds: each the middle of a bucket at most 1.6 % wide. Raises WorkloadFailed."""
    answer = parse(NAME, output)
    try:
        bins = answer["jobs"][0]["write"]["clat_ns"]["bins"]
        return {float(ns): int(count) for ns, count in bins.items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise WorkloadFailed(f"{NAME} printed no histogram") from error


def _percentile_list() -> str:
    return f"--percentile_list={':'.join(LATENCY)}"
