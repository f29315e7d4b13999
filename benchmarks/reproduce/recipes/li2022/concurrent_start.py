"""li2022-rund/concurrent-start: how the makespan grows with the number of sandboxes that are asked for at once."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Match, Needs, Plan, Recipe, Setting
from isoscope.benchmarks.reproduce.recipes.li2022.systems import CLOCK, LEFT_OUT, NETWORK, SHARED_KERNEL, STUDY_CPUS, VM
from isoscope.benchmarks.reproduce.recipes.li2022.systems import most as most_here

_NUMBERS = (1, 10, 50, 100, 200, 300, 400)
_ONE_A_CPU = 100  #: of the study's numbers: about one for each of its CPUs
_ROUNDS = 10

_TITLE = "{} empty sandboxes at once, host network, mean makespan of 10 rounds"

_TCG = (
    "a ratio of one system to itself: with more sandboxes than CPUs the makespan grows with the CPU time of a start, "
    "whichever way that is spent"
)


class ConcurrentStart(Recipe):
    """N instances at once, for several N."""

    study: ClassVar[str] = "li2022-rund"
    item: ClassVar[str] = "concurrent-start"
    summary: ClassVar[str] = "N sandboxes at once: how the makespan grows with N, for machines and containers"
    needs: ClassVar[Needs] = Needs(memory=1 << 30)

    def plan(self, here: Here, *, quick: bool) -> Plan:
        scaled = {number: max(1, round(number * here.cpus / STUDY_CPUS)) for number in _NUMBERS}
        fit = {number: at_once for number, at_once in scaled.items() if at_once <= most_here(here)}
        if quick:
            fit = {number: at_once for number, at_once in fit.items() if number <= 2 * _ONE_A_CPU}
        started = sum(set(fit.values()))
        return Plan(
            clock=CLOCK,
            systems=(VM, *SHARED_KERNEL),
            baseline="container",
            benchmarks=(f"startup:at-once={'+'.join(str(one) for one in sorted(set(fit.values())))}",),
            workload="sleep",
            blocks=_ROUNDS,
            matches=tuple(
                _match(number, fit.get(number), scaled[number], alike=here.cpus == STUDY_CPUS) for number in _NUMBERS
            ),
            settings=(
                Setting(
                    "sandboxes at once",
                    ", ".join(map(str, _NUMBERS)),
                    ", ".join(str(scaled[number]) for number in _NUMBERS),
                    f"as many for each CPU: N x {here.cpus} / {STUDY_CPUS}, rounded, at least 1; what is held against "
                    "the study is the growth from one for each CPU (its 100) to two, three and four. Below one for "
                    "each CPU a start waits for locks, and not for CPUs, and that goes by N, which is scaled away",
                ),
                Setting(
                    "rounds",
                    "10, mean makespan",
                    f"{_ROUNDS} blocks, or as -n says, mean makespan",
                    "kept; in each round every system in random order, and ours twice",
                ),
                Setting(
                    "sandbox", "128 MB, a pause container", "128 MiB, `sleep`", "a workload that stays and does nothing"
                ),
                NETWORK,
            ),
            trial_seconds=started * (0.1 if here.kvm else 0.35),
            left_out=LEFT_OUT,
        )


def _match(number: int, at_once: int | None, scaled: int, *, alike: bool) -> Match:
    obstacle = ""
    if at_once is None:
        obstacle = f"{scaled} at once were not asked for: they do not fit, or the run was a quick one"
    elif number < _ONE_A_CPU and not alike:
        obstacle = "fewer than one for each CPU: that growth goes by N itself, which is scaled away here"
    return Match(
        _TITLE.format(number),
        "makespan",
        "startup",
        "startup.makespan",
        {"at_once": at_once or scaled},
        factor=1e-6,
        statistic="mean",
        baseline=SAME_SYSTEM,
        against="" if number == _ONE_A_CPU else _TITLE.format(_ONE_A_CPU),
        costs=False,
        emulated=_TCG,
        obstacle=obstacle,
        x=float(number),
        short=f"{number} at once ({scaled} here)",
    )
