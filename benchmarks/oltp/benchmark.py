"""The benchmark `oltp`: sysbench's read-only transactions from the host on a MariaDB in the instance."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.benchmark import Benchmark, Label, Trial, Value
from isoscope.benchmarks.disk.place import place
from isoscope.benchmarks.metric import Metric
from isoscope.benchmarks.network.ends import TO_INSTANCE, Ends, ends_of, free_port
from isoscope.benchmarks.network.tool import Tool
from isoscope.benchmarks.oltp import client, server
from isoscope.benchmarks.oltp.metrics import LATENCY_MEAN, LATENCY_P99, TRANSACTIONS
from isoscope.benchmarks.request import BenchmarkOption, count, counts
from isoscope.core.errors import HostError
from isoscope.core.units import format_size

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_NAME = "isoscope.oltp"  #: of the database's directory
_MOST_THREADS = 1000
_MOST_ROWS = 10_000_000
_SLOWEST = 200  #: rows a second at which the table is filled, or the trial has failed
_DISK = 512 << 20  #: bytes of an empty database with its logs, amply
_WARMUP_ROWS = 1000


class Oltp(Benchmark):
    """Clients and server share the host's CPUs: a figure is of both."""

    name: ClassVar[str] = "oltp"
    summary: ClassVar[str] = "read-only transactions on a database in memory, by the number of clients"
    workload: ClassVar[str] = "mariadb"
    headline: ClassVar[tuple[Metric, ...]] = (TRANSACTIONS,)
    details: ClassVar[tuple[Metric, ...]] = (LATENCY_MEAN, LATENCY_P99)
    dimensions: ClassVar[tuple[str, ...]] = ("threads",)
    options: ClassVar[tuple[BenchmarkOption, ...]] = (
        BenchmarkOption(
            "threads",
            f"clients at a time, each with a connection, with + between the numbers; at most {_MOST_THREADS}",
            "1+4+16",
            read=partial(counts, most=_MOST_THREADS),
        ),
        BenchmarkOption(
            "rows", "of the table; all fit into the server's memory", "100000", "10000", partial(count, most=_MOST_ROWS)
        ),
        BenchmarkOption("duration", "seconds with each number of clients", "5", "1", count),
    )
    requires: ClassVar[frozenset[str]] = frozenset({"exec", "runs_image"})

    def measure(self, trial: Trial) -> Iterator[Value]:
        """Transactions a second for each number of clients. Raises whatever stops it.

        The database is made and filled before, on the storage that the variant names.
        """
        rows = min(_WARMUP_ROWS, trial.options["rows"]) if trial.warmup else trial.options["rows"]
        _check_room(trial, rows)
        wanted: tuple[int, ...] = trial.options["threads"]
        with ends_of(trial, (TO_INSTANCE,)) as [ends]:
            directory, port = f"{place(ends.server)}/{_NAME}", free_port()
            command = server.command(directory, ends.address, port, rows=rows, connections=max(wanted) + 10)
            trial.step("making the database")
            with Tool(ends.server, command) as serving:
                serving.await_output(server.READY, 2 * trial.timeout)
                trial.step(f"filling it with {rows} rows")
                with Tool(ends.client, client.fill(ends.address, port, rows=rows)) as filling:
                    filling.result(trial.timeout + rows / _SLOWEST)
                for threads in wanted[:1] if trial.warmup else wanted:
                    yield from _ask(trial, ends, port, rows=rows, threads=threads)

    def cautions(self, run: Run) -> list[str]:
        """TCG, the CPUs that both ends share, and that no disk is measured."""
        from isoscope.benchmarks import hazards

        means = "the database runs translated"
        return [
            *hazards.translated(run, self.name, means=means),
            "The clients run on the host beside the server and take their share of its CPUs",
            "All rows are in the server's memory and nothing is written: no disk is measured, whatever the storage",
        ]

    def figures(self, run: Run) -> list[Figure]:
        """Transactions a second and their tail by the number of clients."""
        from isoscope.benchmarks.oltp.figures import figures

        return figures(run)


def _ask(trial: Trial, ends: Ends, port: int, *, rows: int, threads: int) -> Iterator[Value]:
    seconds = 1 if trial.warmup else trial.options["duration"]
    command = client.ask(ends.address, port, rows=rows, threads=threads, seconds=seconds)
    trial.step(f"{threads} clients")
    with Tool(ends.client, command) as asking:
        output = asking.result(seconds + trial.timeout)
    trial.keep(f"oltp-{threads}.txt", output)
    found = client.read(output.decode("utf-8", "replace"))
    labels: dict[str, Label] = {**ends.labels, "threads": threads, "rows": rows, "command": shlex.join(command)}
    yield Value(TRANSACTIONS, found.rate, labels)
    yield Value(LATENCY_MEAN, found.mean, labels)
    yield Value(LATENCY_P99, found.p99, labels)


def _check_room(trial: Trial, rows: int) -> None:
    """Check, before anything is made, that the database fits. Raises HostError."""
    free, wanted = shutil.disk_usage(trial.lab.home).free, _DISK + server.pool(rows)
    if free < wanted:
        raise HostError(
            f"the disk is too full: the database takes up to {format_size(wanted)}, and {format_size(free)} are free",
            hint="use fewer rows, or set ISOSCOPE_HOME to a larger disk",
        )
