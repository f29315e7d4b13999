"""li2022-rund/memory-per-sandbox: what one of many sandboxes takes, against one alone."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Match, Needs, Plan, Recipe, Setting
from isoscope.benchmarks.reproduce.recipes.li2022.systems import LEFT_OUT, SHARED_KERNEL, VM, most

_STUDY_MEMORY = 384 << 30  #: bytes
_NUMBERS = (1, 100, 1000, 2000)
_MOST_UNDER_TCG, _QUICK_MOST = 20, 5  # a start takes seconds there

#: The numbers at which the benchmark `density` stops to look, up to the greatest asked for.
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)

_TITLE = "PSS per 128 MB sandbox with {} running"

_TCG = (
    "a ratio of one system to itself: what machines share are pages of QEMU and of files, however guest code is run; "
    "TCG adds to each what it has translated, so that the size of the ratio is not the study's"
)


class MemoryPerSandbox(Recipe):
    """A ramp of instances that stay, and the sum of their Pss over how many there are."""

    study: ClassVar[str] = "li2022-rund"
    item: ClassVar[str] = "memory-per-sandbox"
    summary: ClassVar[str] = "memory of one of many sandboxes against one alone"
    needs: ClassVar[Needs] = Needs(memory=4 << 30, root=True)

    def plan(self, here: Here, *, quick: bool) -> Plan:
        bound = _QUICK_MOST if quick else most(here) if here.kvm else min(most(here), _MOST_UNDER_TCG)
        scaled = {number: _step(number * here.memory / _STUDY_MEMORY, bound) for number in _NUMBERS}
        upto = max(scaled.values())
        return Plan(
            clock="none: Pss of every process that runs for the sandboxes, proc_pid_smaps(5), there and here",
            systems=(VM, *SHARED_KERNEL),
            baseline="container",
            benchmarks=(f"density:upto={upto},settle=0.2,budget=20m,unequal=yes",),
            workload="sleep",
            blocks=9,
            matches=tuple(_match(number, scaled[number]) for number in _NUMBERS),
            settings=(
                Setting(
                    "sandboxes running",
                    ", ".join(map(str, _NUMBERS)),
                    ", ".join(str(scaled[number]) for number in _NUMBERS),
                    f"as many for the memory: N x {here.memory / (1 << 30):.0f} GiB / 384 GiB, down to 1, 2, 5, 10, "
                    f"20, ..., at most {bound}. What is held against the study is one of many over one alone",
                ),
                Setting(
                    "sandbox", "128 MB, a pause container", "128 MiB, `sleep`", "a workload that stays and does nothing"
                ),
                Setting(
                    "repetitions",
                    "one",
                    "9 blocks, or as -n says, ours twice in each",
                    "so many blocks as an interval needs",
                ),
            ),
            trial_seconds=2 + upto * (0.1 if here.kvm else 0.6),
            left_out=LEFT_OUT,
        )


def _step(wanted: float, bound: int) -> int:
    return max(step for step in _STEPS if step == 1 or step <= min(wanted, bound))


def _match(number: int, running: int) -> Match:
    return Match(
        _TITLE.format(number),
        "pss",
        "density",
        "density.pss",
        {"instances": running},
        factor=1e-6 / running,
        baseline=SAME_SYSTEM,
        against="" if number == 1 else _TITLE.format(1),
        costs=False,
        emulated=_TCG,
        obstacle="no more than one fits here" if number > 1 and running == 1 else "",
        x=float(number),
        short=f"{number} running ({running} here)",
    )
