"""The command `plan`."""

from __future__ import annotations

from pathlib import Path

import click
from isoscope.benchmarks.runs import runs_option
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json
from isoscope.core.errors import InputError


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
    from isoscope.benchmarks.capacity.plan import plan_capacity
    from isoscope.benchmarks.capacity.words import told
    from isoscope.benchmarks.told import print_told

    if hosts > 1 and instances is not None:
        raise InputError("--hosts and --instances both set the fleet", hint="leave one of them out")
    found = plan_capacity(current_lab(), variant, workload, host=host, hosts=hosts, runs=folders)
    if as_json:
        needed = None if instances is None else found.hosts_for(instances)
        print_json({**found.as_dict(), "hosts_needed": needed})
    else:
        print_told(told(found, instances))
