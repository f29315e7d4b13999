"""The command `plan`."""

from __future__ import annotations

from pathlib import Path

import click
from isoscope.benchmarks.runs import past_runs, runs_option
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json
from isoscope.core.errors import InputError
from isoscope.core.variant import Variant


@click.command()
@click.option(
    "--host",
    metavar="cpus=N,memory=SIZE",
    help="The host that is planned; also pids, descriptors, mounts, links (default: the one that was measured).",
)
@click.option("-w", "--workload", default="sleep", show_default=True, metavar="WORKLOAD", help="A name or a TOML file.")
@click.option("-b", "--backend", "variant", metavar="VARIANT", required=True, help="The backend, with its options.")
@click.option("--hosts", type=click.IntRange(1), default=1, metavar="N", help="A fleet of so many such hosts.")
@click.option("--instances", type=click.IntRange(1), metavar="N", help="Say how many hosts so many instances need.")
@runs_option
@json_option
def plan(  # noqa: PLR0917 -- click's parameters
    host: str | None,
    workload: str,
    variant: str,
    hosts: int,
    instances: int | None,
    folders: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Say on paper how many instances a host or a fleet would take, and how fast they would start.

    What one more instance takes of each limit is read from the ramps of `isoscope compare -m density` that were made on
    this host, and carried on along a line. How far that is beyond what was measured is said; where the points lie on no
    line, or there are none, nothing is.
    """
    from isoscope.benchmarks.capacity.host import PlannedHost
    from isoscope.benchmarks.capacity.plan import plan as make
    from isoscope.benchmarks.capacity.words import show

    lab = current_lab()
    if hosts > 1 and instances is not None:
        raise InputError("--hosts and --instances both set the fleet", hint="leave one of them out")
    planned = None if host is None else PlannedHost.parse(host)
    chosen, subject = Variant.parse(variant), lab.workload(workload)
    chosen.backend_options(lab.backend(chosen.backend).options)
    past = past_runs(lab, folders)
    file = workload if workload.endswith(".toml") else ""
    found = make(past.runs, chosen, subject, planned, hosts=hosts, file=file)
    if as_json:
        needed = None if instances is None else found.hosts_for(instances)
        print_json({**found.as_dict(), "hosts_needed": needed})
    else:
        show(found, instances)
