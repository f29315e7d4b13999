"""Recipes of start-up, memory and system calls: how they are scaled, and what they say of values that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks.harness.agree import _benchmarks
from isoscope.benchmarks.reproduce import Here, Match, Plan, Recipe
from isoscope.benchmarks.reproduce.judge import judge
from isoscope.benchmarks.reproduce.page import write
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM
from isoscope.benchmarks.reproduce.recipes import offered
from isoscope.benchmarks.reproduce.result import Reproduction
from isoscope.benchmarks.reproduce.rule import Verdict
from isoscope.benchmarks.request import Request
from isoscope.benchmarks.results.run import Run
from isoscope.core import Lab
from isoscope.core.variant import Variant

from tests.benchmarks.reproduce.fake_reproduction import HERE, Made, as_published, make

LARGE = replace(HERE, cpus=104, memory=384 << 30, available=380 << 30, kvm=True)
STUDIES = (
    "agache2020",
    "li2022-rund",
    "young2019",
    "crun-readme",
    "youki-readme",
    "manco2017-lightvm",
    "sharma2016",
    "vanrijn2021",
)
NAMES = [name for name in offered() if name.split("/")[0] in STUDIES]


def recipe(name: str) -> Recipe:
    return offered()[name]()


def judged(directory: Path, name: str, plan: Plan, value: Made | None = None, **terms: Any) -> Reproduction:
    made = make(directory / "run", name, plan, value or as_published(name), **terms)
    return judge(Run.load(made))


@pytest.mark.parametrize("here", [HERE, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("name", NAMES)
def test_every_published_row_is_matched_or_left_out_with_a_reason(name: str, here: Here, lab: Lab) -> None:
    one = recipe(name)
    for quick in (False, True):
        plan = one.plan(here, quick=quick)
        known = {(row.workload, row.metric) for row in (*one.published(), *one.elsewhere())}
        assert {(match.workload, match.metric) for match in plan.matches} <= known
        matched = {(match.workload, match.metric) for match in plan.matches}
        systems = {system.name for system in plan.systems}
        for row in one.published():
            assert row.system in plan.left_out or (row.system in systems and (row.workload, row.metric) in matched)
        for match in plan.matches:
            assert not match.against or (match.against, match.metric) in matched
        assert plan.baseline in systems
        assert plan == Plan.from_dict(plan.as_dict())
        requests = {request.benchmark: request for request in Request.parse_list(plan.benchmarks)}
        for benchmark, found in _benchmarks(lab, tuple(requests)).items():
            requests[benchmark].resolve(found.options, quick=quick)
            for match in plan.matches:
                metrics = {metric.name for metric in (*found.headline, *found.details)} | {"startup.makespan"}
                assert match.ours in metrics
                assert set(match.labels) <= set(found.dimensions)
        for system in plan.systems:
            Variant.parse(system.variant)


def test_what_was_published_has_its_own_shape(tmp_path: Path) -> None:
    name = "young2019/syscalls"
    found = judged(tmp_path, name, recipe(name).plan(HERE, quick=False))
    assert found.verdict is Verdict.SAME, found.sentence
    assert {row.system for row in found.rows if row.able} == {"runc", "gvisor-ptrace"}


def test_numbers_at_once_are_scaled_by_cpus() -> None:
    plan = recipe("li2022-rund/concurrent-start").plan(HERE, quick=False)
    assert plan.benchmarks == ("startup:at-once=1+2+4+6+8",)
    asked = {int(match.workload.split()[0]): match for match in plan.matches}
    assert {number: match.labels["at_once"] for number, match in asked.items()} == {
        1: 1,
        10: 1,
        50: 1,
        100: 2,
        200: 4,
        300: 6,
        400: 8,
    }
    assert all("fewer than one for each CPU" in asked[number].obstacle for number in (1, 10, 50))
    assert not any(asked[number].obstacle for number in (100, 200, 300, 400))
    assert {match.baseline for match in plan.matches} == {SAME_SYSTEM}


def test_a_host_without_memory_starts_fewer() -> None:
    poor = replace(HERE, available=1 << 30)
    plan = recipe("li2022-rund/concurrent-start").plan(poor, quick=False)
    assert plan.benchmarks == ("startup:at-once=1+2",)
    assert "do not fit" in next(match.obstacle for match in plan.matches if match.workload.startswith("400 "))


def growth(slope: float) -> Made:
    """A makespan that grows with the number at once to this power."""

    def value(match: Match, system: str) -> float | None:
        return 1e9 * float(match.labels["at_once"]) ** slope

    return value


@pytest.mark.parametrize(
    ("accelerator", "slope", "verdict"),
    [
        ("kvm", 1.0, Verdict.SAME),
        ("kvm", 0.0, Verdict.DIFFERENT),
        ("kvm", 3.0, Verdict.DIFFERENT),
        ("tcg", 3.0, Verdict.SAME),  # no more than its direction
        ("tcg", -1.0, Verdict.DIFFERENT),
    ],
)
def test_growth_from_one_for_each_cpu(tmp_path: Path, accelerator: str, slope: float, verdict: Verdict) -> None:
    name = "li2022-rund/concurrent-start"
    here = replace(HERE, kvm=accelerator == "kvm")
    plan = recipe(name).plan(here, quick=False)
    found = judged(tmp_path, name, plan, growth(slope), accelerator=accelerator)
    assert found.verdict is verdict
    able = {row.workload.split()[0] for row in found.rows if row.able}
    assert able == {"200", "300", "400"}
    ours = [row for row in found.rows if row.system == "container" and row.ratio]
    assert {row.reason for row in ours} == {"the study had no such system"}
    assert len(ours) == 6, "the growth of systems that the study did not have is shown"


def boots(**ms: float) -> Made:
    names = {"qboot": "qemu-qboot", "seabios": "qemu-seabios", "microvm": "qemu-microvm"}
    known = {names[name]: value for name, value in ms.items()}

    def value(match: Match, system: str) -> float | None:
        return known[system] * 1e6

    return value


@pytest.mark.parametrize(
    ("seabios", "microvm", "verdict"),
    [(2100, 3000, Verdict.SAME), (1500, 3000, Verdict.DIFFERENT), (2100, 1500, Verdict.DIFFERENT)],
)
def test_the_order_of_firmware_can_be_told_under_tcg(
    tmp_path: Path, seabios: float, microvm: float, verdict: Verdict
) -> None:
    name = "agache2020/boot-serial"
    plan = recipe(name).plan(HERE, quick=False)
    found = judged(tmp_path, name, plan, boots(qboot=2000, seabios=seabios, microvm=microvm), accelerator="tcg")
    assert found.verdict is verdict
    assert {(row.metric, row.system) for row in found.rows if row.able} == {
        (metric, system) for metric in ("p50", "p90") for system in ("qemu-seabios", "qemu-microvm")
    }
    assert any("a 99th percentile takes 100 boots" in row.reason for row in found.rows)
    assert any("no package" in row.reason for row in found.rows if row.system == "firecracker-pre")


def test_boots_at_a_time_are_not_compared_under_tcg(tmp_path: Path) -> None:
    name = "agache2020/boot-parallel"
    plan = recipe(name).plan(HERE, quick=False)
    assert plan.benchmarks == ("startup:at-once=1+2+4",)
    found = judged(tmp_path, name, plan, accelerator="tcg")
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert any("TCG" in row.reason for row in found.rows)


def test_distributions_are_drawn_beside_the_studys(tmp_path: Path) -> None:
    name = "agache2020/boot-serial"
    plan = recipe(name).plan(HERE, quick=False)
    run = Run.load(make(tmp_path / "run", name, plan, boots(qboot=2000, seabios=2200, microvm=3000), accelerator="tcg"))
    write(run)
    [figure] = recipe(name).distributions(run)
    assert "qemu-qboot: half at most 214 there, 2" in figure.alternative
    assert "TCG" in figure.caption
    assert "Boot time, ms" in figure.svg
    assert (run.directory / "plots" / "reproduction-cdf-0.svg").exists()


def test_the_slope_of_the_next_start(tmp_path: Path) -> None:
    name = "manco2017-lightvm/boot"
    plan = recipe(name).plan(HERE, quick=False)
    more = tuple(
        replace(plan.matches[0], workload=f"beside {n}", labels={"at_once": 1, "beside": n}) for n in (20, 50, 100)
    )

    def value(match: Match, system: str) -> float:
        return 1e6 + (5000 if system == "container" else 0) * float(match.labels["beside"])

    made = make(tmp_path / "run", name, replace(plan, matches=(*plan.matches, *more)), value, noise=0.0001)
    [figure] = recipe(name).distributions(Run.load(made))
    assert "container: 5.0" in figure.caption
    assert "process: " in figure.caption


def test_memory_is_scaled_by_memory() -> None:
    plan = recipe("li2022-rund/memory-per-sandbox").plan(HERE, quick=False)
    assert [match.labels["instances"] for match in plan.matches] == [1, 5, 20, 20]
    plan = recipe("li2022-rund/start-on-loaded-host").plan(HERE, quick=False)
    assert plan.benchmarks == ("startup:at-once=1,beside=0+10",)


def test_a_loaded_host_is_held_against_the_item_without_a_load(tmp_path: Path) -> None:
    name = "li2022-rund/start-on-loaded-host"
    plan = recipe(name).plan(replace(HERE, kvm=True), quick=False)

    def value(match: Match, system: str) -> float:
        return 2e9 if match.labels["beside"] else 1e9

    found = judged(tmp_path, name, plan, value)
    [row] = [row for row in found.rows if row.system == "kata-qemu"]
    assert row.published_ratio == pytest.approx(1688 / 814)
    assert row.verdict is Verdict.SAME


def test_a_quick_run_leaves_the_page_cache_alone() -> None:
    cold, warm = (recipe("youki-readme/create-start-delete").plan(HERE, quick=quick) for quick in (False, True))
    assert cold.benchmarks == ("startup:cold=yes",)
    assert warm.benchmarks == ("startup",)
    assert "page cache alone" in warm.matches[0].obstacle
