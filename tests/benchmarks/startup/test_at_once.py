"""Start-up of several instances at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from isoscope.benchmarks import Run, Trial, Value
from isoscope.benchmarks.fleet import Fleet
from isoscope.benchmarks.startup.benchmark import Startup
from isoscope.core import Lab, Variant, Workload
from isoscope.core.errors import InputError, InstanceFailed, WorkloadFailed
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.fake_process import FakeProcess

KEPT: dict[str, bytes] = {}


def trial(lab: Lab, variant: str, command: tuple[str, ...], *at_once: int, beside: tuple[int, ...] = (0,)) -> Trial:
    return Trial(
        lab,
        Variant.parse(variant),
        Workload(command=command),
        block=1,
        warmup=False,
        timeout=20,
        options={"at-once": at_once, "beside": beside, "cold": "no"},
        shield=nullcontext,
        step=lambda _: None,
        keep=KEPT.__setitem__,
    )


def by_metric(values: Iterator[Value]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for one in values:
        assert one.value is not None
        found.setdefault(one.metric.name, []).append(one.value)
    return found


@pytest.fixture
def plugin() -> FakePlugin:
    return FakePlugin()


@pytest.fixture
def lab_of_fakes(home: Path, plugin: FakePlugin) -> Iterator[Lab]:
    with lab_with(home, plugin) as lab:
        yield lab
        assert plugin.instances == {}
        lab.gc()


def test_all_are_started_before_any_must_be_ready(lab_of_fakes, plugin):
    gate = threading.Barrier(5, timeout=20)

    def together(process: FakeProcess) -> None:
        gate.wait()
        process.write("ready\n")

    plugin.programs = {"together": together}
    found = by_metric(Startup().measure(trial(lab_of_fakes, "fake", ("together",), 5)))
    assert len(found["startup.ready"]) == 5
    [makespan] = found["startup.makespan"]
    assert makespan >= max(found["startup.ready"])
    assert "startup.total" not in found


def test_the_phases_add_up_to_the_median_instance(lab_of_fakes):
    found = by_metric(Startup().measure(trial(lab_of_fakes, "fake", ("echo", "hello"), 3)))
    phases = sum(values[0] for name, values in found.items() if name.startswith("phase."))
    assert phases == sorted(found["startup.ready"])[1]


def test_one_that_does_not_start_fails_the_trial_and_all_are_deleted(lab_of_fakes, plugin):
    plugin.faults["start"] = InstanceFailed("no luck")
    with pytest.raises(InstanceFailed, match="3 of 3 instances did not start; the first: no luck"):
        list(Startup().measure(trial(lab_of_fakes, "fake", ("echo", "hello"), 3)))


def test_a_workload_that_fails_fails_the_trial(lab_of_fakes, plugin):
    plugin.programs = {"bad": lambda _: 4}
    with pytest.raises(WorkloadFailed, match="status 4"):
        list(Startup().measure(trial(lab_of_fakes, "fake", ("bad",), 3)))


def test_an_interrupt_while_they_start_deletes_all_and_hangs_nowhere(lab_of_fakes, plugin, monkeypatch):
    """Threads that wait for one that was never begun must not wait for ever."""
    begun = []

    def start(fleet: Fleet, instance: object) -> None:
        begun.append(instance)

    submit = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if thread.name.startswith("isoscope-at-once") and thread.name.endswith("_2"):
            raise KeyboardInterrupt
        submit(thread)

    monkeypatch.setattr(Fleet, "_start", start)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(Startup().measure(trial(lab_of_fakes, "fake", ("echo", "hello"), 5)))
    assert begun == []


def test_every_instance_has_its_turn_to_be_deleted(lab_of_fakes, plugin):
    fleet = Fleet(trial(lab_of_fakes, "fake", ("echo", "hello"), 2), 2)
    made = fleet.create_many(4)
    plugin.faults["delete"] = InstanceFailed("stuck")
    with pytest.raises(InstanceFailed, match="stuck"):
        fleet.close()
    assert [verb for verb, _ in plugin.calls].count("delete") == len(made)
    del plugin.faults["delete"]
    fleet.close()


def test_the_headline_is_the_makespan_and_nothing_is_missing(compare: Callable[..., Run]):
    run = compare("hello", benchmarks=("startup:at-once=3",))
    assert {one.metric.name for one in run.results.of("startup", role="headline")} == {
        "startup.makespan",
        "startup.ready",
    }
    assert run.results.failures == ()
    [vm] = [one for one in run.results.of("startup", "startup.ready", "headline") if one.variant == "vm"]
    assert (vm.values, vm.blocks, vm.accelerator) == (6, 2, "tcg")
    names = [figure.name for figure in Startup().figures(run)]
    assert names[0] == "startup-makespan"


@pytest.mark.root
def test_containers_at_once(lab: Lab):
    found = by_metric(Startup().measure(trial(lab, "container", ("echo", "hello"), 8)))
    assert len(found["startup.ready"]) == 8
    assert found["startup.makespan"][0] >= max(found["startup.ready"])
    kept = json.loads(KEPT["timelines.json"])
    assert len(kept) == 8
    assert min(one["start"] for one in kept) == 0


def test_several_numbers_at_once_beside_others(lab_of_fakes, plugin):
    def stays(process: FakeProcess) -> None:
        process.write("ready\n")
        process.tick(600)

    plugin.programs = {"stay": stays}
    values = list(Startup().measure(trial(lab_of_fakes, "fake", ("stay",), 1, 3, beside=(0, 2))))
    makespans = [dict(one.labels) for one in values if one.metric.name == "startup.makespan"]
    assert [(one["at_once"], one["beside"]) for one in makespans] == [(1, 0), (3, 0), (1, 2), (3, 2)]
    assert sum(one.metric.name == "startup.ready" for one in values) == 1 + 3 + 1 + 3
    started = [name for verb, name in plugin.calls if verb == "start"]
    assert len(started) == 8 + 2


def test_others_that_have_ended_are_not_beside(lab_of_fakes):
    with pytest.raises(InputError, match="2 instances that were to run beside have ended"):
        list(Startup().measure(trial(lab_of_fakes, "fake", ("echo", "hello"), 1, beside=(2,))))


def test_the_harness_alone_has_none_beside_it(compare: Callable[..., Run]):
    run = compare("hello", backends=("null",), benchmarks=("startup:beside=2",), blocks=1)
    assert run.results.failures == ()


def test_a_curve_where_there_are_several_numbers(compare: Callable[..., Run]):
    run = compare("hello", benchmarks=("startup:at-once=1+4",))
    found = run.results.of("startup", "startup.makespan", "headline")
    assert {one.labels["at_once"] for one in found} == {1, 4}
    phases = next(figure for figure in Startup().figures(run) if figure.name == "startup-phases")
    assert "process at_once=4" in phases.alternative
    assert Startup().figures(run)[0].name == "startup-makespan-at-once"
