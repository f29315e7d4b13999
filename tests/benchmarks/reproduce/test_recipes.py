"""The recipes that ship: each plan refers to what was published and to what there is, by rules that can be read."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from isoscope.benchmarks.metrics import METRICS
from isoscope.benchmarks.plugin import isoscope_register_benchmarks
from isoscope.benchmarks.published import figures
from isoscope.benchmarks.reproduce import Plan, Recipe
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM
from isoscope.benchmarks.reproduce.recipes import offered
from isoscope.benchmarks.request import Request
from isoscope.core.units import parse_size
from isoscope.core.variant import Variant

from .fake_reproduction import HERE

RECIPES = sorted(offered())
LARGE = replace(HERE, cpus=64, sockets=2, memory=512 << 30, available=500 << 30, disk_free=4 << 40, kvm=True)
SMALL = replace(HERE, cpus=1, memory=1 << 30, available=600 << 20, cache=0, disk_free=1 << 30)


@pytest.fixture(params=RECIPES)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return offered()[request.param]()


def plans(recipe: Recipe) -> list[Plan]:
    return [recipe.plan(here, quick=quick) for here in (HERE, LARGE, SMALL) for quick in (False, True)]


def test_a_recipe_is_called_what_it_is_of(recipe: Recipe) -> None:
    assert recipe.name in RECIPES
    assert recipe.summary
    assert recipe.published()
    assert recipe.source().name == recipe.study


def test_every_match_and_system_is_of_a_published_figure(recipe: Recipe) -> None:
    known = {(one.workload, one.metric) for one in (*recipe.published(), *recipe.elsewhere())}
    systems = {one.system for one in recipe.published()}
    for plan in plans(recipe):
        matches = {(match.workload, match.metric) for match in plan.matches}
        assert matches <= known
        assert len(matches) == len(plan.matches)
        assert set(plan.omitted) | {workload for workload, _ in matches} >= {one.workload for one in recipe.published()}
        assert plan.baseline in {system.name for system in plan.systems}
        assert {system.name for system in plan.systems} & systems, "something published is measured"
        assert {match.baseline for match in plan.matches} <= {"", SAME_SYSTEM, *systems}


def test_what_is_measured_exists(recipe: Recipe) -> None:
    made: dict[str, object] = {}
    isoscope_register_benchmarks(made.__setitem__)
    for plan in plans(recipe):
        for request in Request.parse_list(plan.benchmarks):
            benchmark = made[request.benchmark]()  # type: ignore[operator]
            request.resolve(benchmark.options, quick=False)
        asked = {request.benchmark for request in Request.parse_list(plan.benchmarks)}
        for match in plan.matches:
            assert match.benchmark in asked
            assert match.ours in METRICS
            assert set(match.labels) <= set(made[match.benchmark]().dimensions)  # type: ignore[operator]
        for system in plan.systems:
            Variant.parse(system.variant)


def test_every_rule_says_what_was_there_what_is_here_and_why(recipe: Recipe) -> None:
    for plan in plans(recipe):
        assert plan.settings
        for setting in plan.settings:
            assert setting.name
            assert setting.study
            assert setting.here
            assert setting.rule
        assert plan.clock
        assert all(match.why for match in plan.matches if match.kind == "direction")
        assert all(system.why for system in plan.systems if system.kind == "direction")


def test_a_plan_survives_the_manifest(recipe: Recipe) -> None:
    for plan in plans(recipe):
        assert Plan.from_dict(json.loads(json.dumps(plan.as_dict()))) == plan


def test_the_same_facts_give_the_same_plan(recipe: Recipe) -> None:
    assert recipe.plan(HERE, quick=False) == recipe.plan(HERE, quick=False)


def disk(plan: Plan) -> dict[str, str]:
    [request] = Request.parse_list(plan.benchmarks)
    return dict(request.options)


def test_fio_scales_file_and_time_alike() -> None:
    fio = offered()["felter2014/fio"]()
    asked = disk(fio.plan(HERE, quick=False))
    assert (parse_size(asked["size"]) / (16 << 30)) == pytest.approx(float(asked["runtime"]) / 60, rel=0.01)
    assert parse_size(disk(fio.plan(replace(HERE, disk_free=800 << 20), quick=False))["size"]) == 100 << 20
    assert parse_size(disk(fio.plan(replace(HERE, disk_free=1 << 20), quick=False))["size"]) == 64 << 20
    today = "kvm-virtio-today"
    assert today in fio.plan(HERE, quick=False).left_out
    with_kvm = fio.plan(LARGE, quick=False)
    assert "iothread=on" in with_kvm.system(today).variant
    assert "cpus=64" in with_kvm.system("kvm-virtio").variant


def test_stream_s_arrays_outgrow_the_caches_and_fit_the_memory() -> None:
    stream = offered()["felter2014/stream"]()
    assert disk(stream.plan(HERE, quick=False))["array"] == "128M"
    assert disk(stream.plan(SMALL, quick=False))["array"] == "48M"
    assert "memory=576M" in stream.plan(HERE, quick=False).system("kvm").variant


def test_a_table_is_a_power_of_two() -> None:
    gups = offered()["felter2014/randomaccess"]()
    for here, size in (
        (HERE, "128M"),
        (replace(HERE, cache=40 << 20), "128M"),
        (replace(HERE, cache=80 << 20), "256M"),
    ):
        assert disk(gups.plan(here, quick=False))["table"] == size


def test_every_published_redis_figure_has_a_deviation() -> None:
    plan = offered()["felter2014/redis"]().plan(HERE, quick=False)
    for one in figures("felter2014", "redis"):
        [match] = [match for match in plan.matches if match.workload == one.workload]
        assert match.deviations[one.system] > 0
