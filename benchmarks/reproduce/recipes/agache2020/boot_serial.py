"""agache2020/boot-serial: what firmware and machine type cost a boot, one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Kind, Match, Plan, Recipe, Setting
from isoscope.benchmarks.reproduce.recipes.agache2020.systems import CLOCK, GUEST, LEFT_OUT, MICROVM, QBOOT, SEABIOS

if TYPE_CHECKING:
    from isoscope.benchmarks.report.figure import Figure
    from isoscope.benchmarks.results.run import Run

_WORKLOAD = "500 serial boots, 1 vCPU 256 MiB, guest 4.14, exec of the VMM to its exit (pre: InstanceStart to init)"
_STUDY_BOOTS = 500
_BOOTS_WITH_KVM, _BOOTS, _QUICK_BOOTS = 100, 20, 10

#: Boots of which the 99th percentile is more than their greatest.
_FOR_P99 = 100

_TCG = (
    "firmware and machine are emulated in software alike, so that which of two takes longer can be told, and not by "
    "how much"
)


class BootSerial(Recipe):
    """QEMU with qboot, with SeaBIOS, and as microvm, each booted so many times."""

    study: ClassVar[str] = "agache2020"
    item: ClassVar[str] = "boot-serial"
    summary: ClassVar[str] = "boots one after another: qboot, SeaBIOS and microvm, from QEMU's exec to its end"

    def plan(self, here: Here, *, quick: bool) -> Plan:
        boots = _QUICK_BOOTS if quick else _BOOTS_WITH_KVM if here.kvm else _BOOTS
        return Plan(
            clock=CLOCK,
            systems=(QBOOT, SEABIOS, MICROVM),
            baseline=QBOOT.name,
            benchmarks=("startup",),
            workload="true",
            blocks=boots,
            matches=tuple(_match(percentile, boots) for percentile in ("p50", "p90", "p99")),
            settings=(
                GUEST,
                Setting(
                    "boots",
                    f"{_STUDY_BOOTS} of each system, a second apart",
                    f"{boots} of each, or as -n says: every system once in each block in random order, qboot twice",
                    f"{_BOOTS_WITH_KVM} with KVM and {_BOOTS} under TCG, where a boot takes seconds; {_QUICK_BOOTS} if "
                    "quick. Of fewer than 100 boots there is no 99th percentile",
                ),
                Setting(
                    "microvm",
                    "QEMU 4.2's, which had just come",
                    "today's, with the study's switches: no PIT, PIC, RTC nor serial line",
                    "a kernel without those clocks calibrates its timers otherwise",
                ),
            ),
            trial_seconds=0.3 if here.kvm else 2.0,
            left_out=LEFT_OUT,
        )

    def distributions(self, run: Run) -> list[Figure]:
        from isoscope.benchmarks.reproduce.cdf import cdfs

        return cdfs(run, "Boot time")


def _match(percentile: str, boots: int) -> Match:
    few = percentile == "p99" and boots < _FOR_P99
    return Match(
        _WORKLOAD,
        percentile,
        "startup",
        "startup.ready",
        factor=1e-6,
        statistic=percentile,
        kind=Kind.SIZE,
        costs=False,
        emulated=_TCG,
        obstacle=f"a 99th percentile takes {_FOR_P99} boots, and {boots} are planned here" if few else "",
        short=f"serial boots, {percentile}",
    )
