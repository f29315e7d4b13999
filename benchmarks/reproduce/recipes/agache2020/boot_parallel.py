"""agache2020/boot-parallel: how much longer a boot takes when many go on at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Match, Plan, Recipe, Setting
from isoscope.benchmarks.reproduce.recipes.agache2020.systems import CLOCK, GUEST, LEFT_OUT, QBOOT, STUDY_CPUS

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_AT_A_TIME = (10, 50, 100)
_LEAST = 10
_BLOCKS = 10

_TITLE = "1000 boots, {} at a time"


class BootParallel(Recipe):
    """QEMU with qboot, so many at a time."""

    study: ClassVar[str] = "agache2020"
    item: ClassVar[str] = "boot-parallel"
    summary: ClassVar[str] = "boots at a time: how much longer each takes beside others"

    def plan(self, here: Here, *, quick: bool) -> Plan:
        scaled = {number: max(1, round(number * here.cpus / STUDY_CPUS)) for number in _AT_A_TIME}
        wanted = sorted(set(scaled.values()))
        return Plan(
            clock=CLOCK,
            systems=(QBOOT,),
            baseline=QBOOT.name,
            benchmarks=(f"startup:at-once={'+'.join(map(str, wanted))}",),
            workload="true",
            blocks=_BLOCKS,
            matches=tuple(
                _match(number, percentile, scaled[number]) for number in _AT_A_TIME for percentile in ("p50", "p99")
            ),
            settings=(
                GUEST,
                Setting(
                    "boots at a time",
                    "10, 50, 100, a new one as soon as one has ended",
                    ", ".join(str(scaled[number]) for number in _AT_A_TIME) + ", all asked for in the same moment",
                    f"as many for each CPU: N x {here.cpus} / {STUDY_CPUS}, rounded, at least 1. The distribution over "
                    "all boots is compared, and how it moves from few for each CPU to about one and two",
                ),
                Setting(
                    "boots",
                    "1000 of each",
                    f"{_BLOCKS} times each number, or as -n says",
                    "so many blocks as an interval needs",
                ),
            ),
            trial_seconds=sum(wanted) * (0.3 if here.kvm else 1.5),
            left_out=LEFT_OUT,
        )

    def distributions(self, run: Run) -> list[Figure]:
        from isoscope.benchmarks.reproduce.cdf import cdfs

        return cdfs(run, "Boot time")


def _match(number: int, percentile: str, at_once: int) -> Match:
    few = percentile == "p99" and at_once * _BLOCKS < 100
    return Match(
        _TITLE.format(number),
        percentile,
        "startup",
        "startup.ready",
        {"at_once": at_once},
        factor=1e-6,
        statistic=percentile,
        baseline=SAME_SYSTEM,
        against="" if number == _LEAST else _TITLE.format(_LEAST),
        costs=False,
        obstacle=f"of {at_once * _BLOCKS} boots the 99th percentile is little else than the longest" if few else "",
        short=f"{number} at a time ({at_once} here), {percentile}",
    )
