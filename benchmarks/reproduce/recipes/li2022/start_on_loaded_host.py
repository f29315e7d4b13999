"""li2022-rund/start-on-loaded-host: a few more sandboxes beside many that run, against the same beside none."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.published import Published, figures
from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Match, Needs, Plan, Recipe, Setting
from isoscope.benchmarks.reproduce.recipes.li2022.systems import (
    CLOCK,
    LEFT_OUT,
    NETWORK,
    SHARED_KERNEL,
    STUDY_CPUS,
    VM,
    most,
)

_STUDY_MEMORY = 384 << 30  #: bytes
_MORE, _RUNNING = 10, 1000
_MOST_UNDER_TCG, _QUICK_MOST = 10, 3  # a start takes seconds there

_LOADED = f"{_MORE} more sandboxes with {_RUNNING} running"
_ALONE = f"{_MORE} empty sandboxes at once, host network, mean makespan of 10 rounds"

_TCG = (
    "a ratio of one system to itself: whether others that run make a start dearer can be told, but idle guests wake up "
    "at TCG's cost, so that by how much is not the study's"
)


class StartOnLoadedHost(Recipe):
    """So many at once, beside none and beside many."""

    study: ClassVar[str] = "li2022-rund"
    item: ClassVar[str] = "start-on-loaded-host"
    summary: ClassVar[str] = "more sandboxes beside many that run: what the others cost a start"
    needs: ClassVar[Needs] = Needs(memory=4 << 30)

    def elsewhere(self) -> tuple[Published, ...]:
        return figures(self.study, "concurrent-start")

    def plan(self, here: Here, *, quick: bool) -> Plan:
        bound = _QUICK_MOST if quick else most(here) if here.kvm else min(most(here), _MOST_UNDER_TCG)
        running = max(1, min(bound, round(_RUNNING * here.memory / _STUDY_MEMORY)))
        more = max(1, round(_MORE * here.cpus / STUDY_CPUS))
        return Plan(
            clock=CLOCK,
            systems=(VM, *SHARED_KERNEL),
            baseline="container",
            benchmarks=(f"startup:at-once={more},beside=0+{running}",),
            workload="sleep",
            blocks=10,
            matches=(
                _match(_ALONE, more, 0, against=""),
                _match(_LOADED, more, running, against=_ALONE),
            ),
            settings=(
                Setting(
                    "running",
                    str(_RUNNING),
                    str(running),
                    f"as many for the memory: N x {here.memory / (1 << 30):.0f} GiB / 384 GiB, at most {bound}"
                    + ("" if here.kvm else "; under TCG a start takes seconds, and an idle guest a per cent of a CPU"),
                ),
                Setting(
                    "more",
                    str(_MORE),
                    str(more),
                    f"as many for each CPU: N x {here.cpus} / {STUDY_CPUS}, rounded, at least 1",
                ),
                NETWORK,
                Setting("rounds", "mean of 10", "10 blocks, or as -n says, mean", "kept"),
            ),
            trial_seconds=(running + 2 * more) * (0.1 if here.kvm else 0.6),
            left_out=LEFT_OUT,
        )


def _match(workload: str, more: int, running: int, *, against: str) -> Match:
    return Match(
        workload,
        "makespan",
        "startup",
        "startup.makespan",
        {"at_once": more, "beside": running},
        factor=1e-6,
        statistic="mean",
        baseline=SAME_SYSTEM,
        against=against,
        costs=False,
        emulated=_TCG,
        short=f"{more} at once beside {running}",
    )
