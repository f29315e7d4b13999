"""The command `selftest`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click
from isoscope.benchmarks.harness.extent import BLOCKS, LEAST_BLOCKS
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json, print_table
from isoscope.core.units import parse_duration

if TYPE_CHECKING:
    from isoscope.benchmarks.results.aa import Rate, Result


@click.command()
@click.option("-b", "--backend", "variants", metavar="VARIANT", multiple=True, help="Test with this variant (repeat).")
@click.option("-m", "--benchmark", default="startup", show_default=True, metavar="NAME[:K=V,...]", help="Measure this.")
@click.option(
    "-n",
    "--blocks",
    type=int,
    default=BLOCKS,
    show_default=True,
    metavar="N",
    help=f"Blocks of each comparison, at least {LEAST_BLOCKS}.",
)
@click.option(
    "--budget", default="1m", show_default=True, metavar="TIME", help="Measure for so long, as in 90s, 10m, 1h30m."
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Seed of the order of trials (default: random).")
@json_option
def selftest(  # noqa: PLR0917 -- click's parameters
    variants: tuple[str, ...], benchmark: str, blocks: int, budget: str, seed: int | None, as_json: bool
) -> int:
    """Compare variants with themselves, and say how often the instrument sees a difference that is not there.

    Each variant stands twice in every block. The run is cut into comparisons of so many blocks, as many as the budget
    allows (at most 400 of a variant). The permutation test should report a difference in 5 % of them, the interval in
    not more than 8 %; the status is 1 when it is more than chance explains. How far apart the two were is the noise
    floor of this host, which later reports print. Without -b: process and container.
    """
    from isoscope.benchmarks.harness.display import display
    from isoscope.benchmarks.harness.selftest import Selftest, names, usual
    from isoscope.benchmarks.harness.selftest import selftest as carry_out

    lab = current_lab()
    asked = Selftest(
        variants=names(variants) or usual(lab),
        benchmark=benchmark,
        blocks=blocks,
        budget=parse_duration(budget),
        seed=secrets.randbits(32) if seed is None else seed,
    )
    with display() as progress:
        found, failed = carry_out(lab, asked, progress)
    return _show(found, failed, as_json=as_json)


def _show(found: list[Result], failed: int, *, as_json: bool) -> int:
    """Print the results. Returns the exit status."""
    from isoscope.benchmarks.results.aa import failing

    wrong = failing(found)
    none = [one for one in found if not one.comparisons]
    status = 1 if wrong or failed or none or not found else 0
    if as_json:
        print_json({"passed": not status, "failed_trials": failed, "results": [one.as_dict() for one in found]})
        return status
    print_table(
        ("VARIANT", "METRIC", "COMPARISONS", "P < 0.05", "INTERVAL WITHOUT 1", "HALF-WIDTH (P50)", "GREATEST"),
        map(_row, found),
    )
    if failed:
        click.echo(f"{failed} trial(s) failed: isoscope compare shows why")
    for one in none:
        click.echo(f"{one.variant}: not one comparison of {one.blocks} blocks fitted: give a greater --budget")
    for one in wrong:
        click.echo(f"{one.metric} of {one.variant}: more differences than stated, and more than chance explains")
    if not status:
        click.echo("stated: 5 % by the permutation test, at most 8 % by the interval; what was seen agrees with both")
    return status


def _row(one: Result) -> tuple[object, ...]:
    name = one.variant + "".join(f" {key}={value}" for key, value in one.labels.items())
    accelerator = f" ({one.accelerator})" if one.accelerator else ""
    return (
        name + accelerator,
        one.metric,
        one.comparisons,
        _rate(one.permutation),
        _rate(one.interval),
        None if one.half_width is None else f"± {one.half_width:.1%}",
        None if one.greatest is None else f"{one.greatest:.1%}",
    )


def _rate(rate: Rate | None) -> str | None:
    return None if rate is None else f"{rate.rate:.1%} [{rate.low:.1%}, {rate.high:.1%}]"
