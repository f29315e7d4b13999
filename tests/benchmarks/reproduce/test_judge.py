"""From runs that nobody measured to verdicts: what decides, what is shown and does not, and why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.benchmarks.published import figures, study
from isoscope.benchmarks.reproduce import SAME_SYSTEM, Kind, Match, System
from isoscope.benchmarks.reproduce.judge import judge
from isoscope.benchmarks.reproduce.result import Reproduction, Row
from isoscope.benchmarks.reproduce.rule import Verdict
from isoscope.benchmarks.results.run import Run
from isoscope.core.errors import InputError

from ..report.fake_run import make as fake_run
from .conftest import Judged, plan_of
from .fake_reproduction import Made, as_published

FIO = "felter2014/fio"


def of(found: Reproduction, system: str) -> list[Row]:
    return [row for row in found.rows if row.system == system]


def scaled(system: str, factor: float, recipe: str = FIO) -> Made:
    known = as_published(recipe)

    def value(match: Match, name: str) -> float | None:
        found = known(match, name)
        return found and found * (factor if name == system else 1.0)

    return value


def test_what_the_study_found_has_the_shape_of_the_study(judged: Judged) -> None:
    found = judged()
    assert found.verdict is Verdict.SAME
    assert [row.verdict for row in of(found, "native")] == [None] * 10
    assert {row.verdict for row in of(found, "kvm-virtio") if row.ratio} == {Verdict.SAME}
    assert {row.published_ratio for row in of(found, "native")} == {None}
    assert len([row for row in found.rows if row.published is not None]) == len(figures(*FIO.split("/")))
    for row in found.rows:
        if row.ours and row.published:
            assert row.ours.value == pytest.approx(row.published, rel=0.01), "in the study's unit"
        if row.ratio:
            assert row.ratio.value == pytest.approx(row.published_ratio, rel=0.01)


def test_a_container_at_half_the_speed_is_different(judged: Judged) -> None:
    found = judged(value=scaled("docker-volume", 0.5))
    assert found.verdict is Verdict.DIFFERENT
    assert "2 another" in found.sentence
    assert {row.verdict for row in of(found, "kvm-virtio") if row.ratio} == {Verdict.SAME}


def test_tcg_is_shown_and_never_decides(judged: Judged) -> None:
    found = judged(accelerator="tcg", value=scaled("kvm-virtio", 0.01))
    assert found.verdict is Verdict.SAME
    rows = [row for row in of(found, "kvm-virtio") if row.ratio]
    assert {(row.verdict, row.accelerator, row.able) for row in rows} == {(Verdict.NOT_COMPARABLE, "tcg", False)}
    assert all("TCG" in row.reason and row.ratio is not None for row in rows)
    assert "nothing is said of kvm-virtio" in found.sentence


def test_a_gain_over_native_in_the_study_is_its_noise(judged: Judged) -> None:
    [row] = [row for row in judged().rows if row.system == "docker-volume" and "rand write 4K qd16 x1" in row.workload]
    assert row.published_ratio is not None
    assert row.published_ratio > 1.15
    assert (row.verdict, row.able) == (Verdict.NOT_COMPARABLE, False)
    assert "noise" in row.reason


def test_noise_leaves_rows_open_and_the_item_too(judged: Judged) -> None:
    found = judged(noise=0.4, accelerator="tcg")
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert any("left open" in row.reason or "noise" in row.reason for row in found.rows)


def test_a_baseline_that_differs_from_itself_leaves_its_rows_open(judged: Judged) -> None:
    found = judged(twin=1.2, accelerator="tcg")
    assert found.verdict is Verdict.NOT_COMPARABLE
    able = [row for row in found.rows if row.able]
    assert able
    assert all("the baseline differs from itself " in row.reason for row in able)
    assert {round(one.ratio.value, 1) for one in found.noise} == {1.2}


def test_too_few_blocks_decide_nothing(judged: Judged) -> None:
    found = judged(blocks=3)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert any("an interval needs at least 9" in row.reason for row in found.rows)


def test_second_hand_figures_are_shown_and_never_decide(judged: Judged) -> None:
    found = judged("felter2014/linpack")
    [row] = of(found, "kvm-untuned-published")
    assert row.basis == "second-hand"
    assert (row.verdict, row.able) == (Verdict.NOT_COMPARABLE, False)
    assert "second-hand" in row.reason
    assert row.ratio is not None
    [tuned] = of(found, "kvm-tuned")
    assert tuned.verdict is Verdict.SAME
    [default] = of(found, "kvm-default-cpu")
    assert default.spread == "7.57 sd"


def test_a_row_that_this_host_cannot_repeat_says_why(judged: Judged) -> None:
    rows = [
        row for row in judged("felter2014/stream").rows if "2 sockets" in row.workload and row.ratio and row.verdict
    ]
    assert rows
    assert all("two sockets" in row.reason and not row.able for row in rows)


def test_a_system_that_cannot_be_had_is_a_row_with_the_reason(judged: Judged) -> None:
    plan = plan_of(FIO)
    vm = plan.system("kvm-virtio").variant
    found = judged(plan=plan, unavailable={vm: "qemu is not installed"})
    assert {row.reason for row in of(found, "kvm-virtio") if row.short != row.workload} == {"qemu is not installed"}
    assert found.verdict is Verdict.SAME
    [stand] = [one for one in found.systems if one.name == "kvm-virtio"]
    assert stand.unavailable == "qemu is not installed"


def test_trials_that_failed_are_rows_with_the_reason(judged: Judged) -> None:
    known = as_published(FIO)
    found = judged(value=lambda match, name: None if name == "docker-volume" else known(match, name))
    rows = [row for row in of(found, "docker-volume") if "x8" in row.workload and row.short != row.workload]
    assert {row.reason for row in rows} == {"no value: it broke"}


def test_a_system_of_today_is_shown_beside_the_others(judged: Judged) -> None:
    plan = plan_of(FIO)
    plan = replace(plan, systems=(*plan.systems, System("today", "vm:iothread=on")))
    known = as_published(FIO)
    found = judged(plan=plan, value=lambda match, name: known(match, "native" if name == "today" else name))
    rows = of(found, "today")
    assert len(rows) == len(plan.matches)
    assert {(row.published, row.verdict, row.able) for row in rows} == {(None, Verdict.NOT_COMPARABLE, False)}
    assert all(row.ratio is not None and row.ratio.value == pytest.approx(1, abs=0.02) for row in rows)


def test_an_emulated_host_decides_nothing(judged: Judged) -> None:
    def emulate(environment: dict[str, object]) -> None:
        environment["host"] = {"virtualized": {"emulated": True, "signature": "TCGTCGTCGTCG"}}

    found = judged(change=emulate)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "TCGTCGTCGTCG" in found.sentence


def test_only_the_direction_of_a_system_may_be_compared(judged: Judged) -> None:
    redis = "felter2014/redis"
    found = judged(redis, value=scaled("docker-nat", 0.2, redis))
    rows = [row for row in of(found, "docker-nat") if row.ratio]
    assert {row.verdict for row in rows} == {Verdict.SAME}, "slower is slower, however much"
    assert {row.band.low for row in of(found, "docker-nat") if row.band} == {0.0}
    with_gain = scaled("docker-nat", 2.0, redis)
    assert Verdict.DIFFERENT in {row.verdict for row in of(judged(redis, value=with_gain), "docker-nat")}


GROWTH = tuple(
    Match(
        f"{number} empty sandboxes at once, host network, mean makespan of 10 rounds",
        "makespan",
        "startup",
        "startup.ready",
        {"at_once": number},
        factor=1e-6,
        statistic="mean",
        baseline=SAME_SYSTEM,
        against="1 empty sandboxes at once, host network, mean makespan of 10 rounds",
        kind=Kind.SIZE,
        costs=False,
        x=float(number),
    )
    for number in (1, 10)
)


def test_growth_is_held_against_the_same_system(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoscope.benchmarks.reproduce import judge as judging

    published = tuple(
        one for one in figures("li2022-rund", "concurrent-start") if one.key[0] in {m.workload for m in GROWTH}
    )
    told = {"published": lambda _: published, "elsewhere": lambda _: (), "source": lambda _: study("li2022-rund")}
    recipe = type("Recipe", (), told)()
    monkeypatch.setattr(judging, "offered", lambda name: recipe)
    systems = (System("kata-qemu", "vm"), System("rund", "container"))
    plan = replace(plan_of(FIO), systems=systems, baseline="kata-qemu", matches=GROWTH, benchmarks=("startup",))
    found = judged("li2022-rund/concurrent-start", plan=plan)
    [row] = [row for row in of(found, "kata-qemu") if row.workload.startswith("10 ")]
    assert row.published_ratio == pytest.approx(814 / 525)
    assert row.ratio is not None
    assert row.ratio.value == pytest.approx(814 / 525, rel=0.01)
    assert row.baseline.startswith("kata-qemu, 1 empty")
    assert row.verdict is Verdict.SAME
    assert [row.verdict for row in of(found, "rund")] == [None, Verdict.SAME]
    assert {row.reason for row in of(found, "kata-firecracker") if row.verdict} == {
        "nothing stands for kata-firecracker here"
    }


def test_a_percentile_needs_the_values_that_it_is_of(judged: Judged) -> None:
    plan = plan_of("felter2014/linpack")
    p99 = replace(plan, matches=tuple(replace(match, statistic="p99") for match in plan.matches))
    found = judged("felter2014/linpack", plan=p99)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert any("p99 of 10 values is little else than their greatest" in row.reason for row in found.rows)
    assert judged("felter2014/linpack", plan=p99, blocks=120).verdict is Verdict.SAME


def test_a_run_that_repeats_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="repeats no study"):
        judge(Run.load(fake_run(tmp_path / "run", blocks=1)))


def test_the_same_trials_give_the_same_figures(judged: Judged, tmp_path: Path) -> None:
    first = judged()
    assert judge(Run(tmp_path / "run0")) == first


def test_figures_of_one_system_are_held_against_nothing(judged: Judged) -> None:
    found = judged("dong2012-sriov/scaling")
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "of one system: there is no ratio" in found.sentence
    first = found.rows[0]
    assert (first.system, first.verdict) == ("sriov", None)
    assert first.ours is not None
