"""The ramp on instances in memory: what ends it, and that everything before is kept."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys

import pytest
from isoscope.benchmarks import Value
from isoscope.benchmarks.density import look, ramp
from isoscope.benchmarks.density.benchmark import Density
from isoscope.benchmarks.descriptors import Descriptors
from isoscope.core import Lab, Variant, Workload
from isoscope.core.errors import InputError, InstanceFailed, Unsupported
from isoscope.testing.fake_process import FakeProcess

from .conftest import Stage


def all_of(values: list[Value], name: str) -> dict[object, float | None]:
    """The values of a metric by the number of instances that they were found at."""
    return {one.labels.get("instances"): one.value for one in values if one.metric.name == name}


def only(values: list[Value], name: str) -> Value:
    [found] = [one for one in values if one.metric.name == name]
    return found


def until_failure(stage: Stage, **options: str) -> tuple[list[Value], Exception]:
    found: list[Value] = []
    with pytest.raises(InstanceFailed) as raised:
        found.extend(stage.measure(**options))  # takes what comes before the error
    return found, raised.value


def test_a_ramp_looks_at_each_step_and_starts_one_more_beside_it(stage):
    values = list(stage.measure(upto="10"))
    assert only(values, "density.reached").value == 10
    assert only(values, "density.reached").labels["limit"] == "enough"
    assert only(values, "density.reached").labels["kernel"] == os.uname().release
    assert set(all_of(values, "density.used_memory")) == {1, 2, 5, 10}
    assert set(all_of(values, "startup.ready")) == {0, 1, 2, 5, 10}
    assert all_of(values, "density.cgroup_memory") == {n: n << 20 for n in (1, 2, 5, 10)}
    assert len(stage.started) == 11  # the tenth, and one more beside the ten
    assert stage.steps[-1] == "11 of 10 instances"


def test_what_cannot_be_told_has_a_reason_and_is_not_zero(stage):
    values = list(stage.measure(upto="2"))
    pss = [one for one in values if one.metric.name in ("density.pss", "density.marginal_pss", "density.cpu")]
    assert {one.value for one in pss} == {None}
    assert {one.reason for one in pss} == {"backend 'fake' does not tell what it runs on this host"}


def test_the_whole_ramp_is_kept(stage):
    list(stage.measure(upto="5"))
    kept = json.loads(stage.kept["ramp.json"])
    assert [look["instances"] for look in kept["looks"]] == [0, 1, 2, 5]
    assert [one["running"] for one in kept["startups"]] == [0, 1, 2, 3, 4, 5]


def test_a_limit_ends_the_ramp_by_name_and_fails_nothing(stage):
    def fourth_finds_no_descriptor(number: int) -> None:
        if number == 3:
            stage.plugin.faults["start"] = OSError(errno.EMFILE, "Too many open files")

    stage.on_start = fourth_finds_no_descriptor
    values = list(stage.measure(upto="10"))
    reached = only(values, "density.reached")
    assert (reached.value, reached.labels["limit"]) == (3, "file descriptors")
    assert set(all_of(values, "density.used_memory")) == {1, 2, 3}  # a look at where it ended, too
    assert "instance 4 of 10 did not start" in json.loads(stage.kept["ramp.json"])["why"]


def test_an_instance_that_fails_ends_it_and_all_before_is_kept(stage):
    def fourth_fails(number: int) -> None:
        if number == 3:
            stage.plugin.faults["start"] = InstanceFailed("no luck", hint="try again")

    stage.on_start = fourth_fails
    values, error = until_failure(stage, upto="10")
    assert str(error) == "instance 4 of 10 did not start: no luck"
    assert set(all_of(values, "density.used_memory")) == {1, 2}
    assert only(values, "density.marginal_memory").value is not None
    assert [one for one in values if one.metric.name == "density.fits"] == []


@pytest.mark.parametrize(
    ("die", "told"),
    [
        ({"signal_number": signal.SIGSEGV}, "it was killed by signal 11"),
        ({"signal_number": signal.SIGKILL, "oom_killed": True}, "it was killed for want of memory"),
    ],
)
def test_an_instance_that_dies_in_mid_ramp_is_named(stage, die, told):
    def first_dies(number: int) -> None:
        if number == 4:
            victim = next(iter(stage.plugin.instances.values()))
            victim.die(**die)
            victim.wait(30)

    stage.on_start = first_dies
    values, error = until_failure(stage, upto="10")
    assert str(error) == f"instance 1 of 5 is gone: {told}"
    assert set(all_of(values, "density.used_memory")) == {1, 2}


def test_a_workload_that_ends_by_itself_is_none_for_density(stage):
    stage.plugin.programs = {"stay": lambda process: process.write("bye\n"), "true": lambda _: 0}
    with pytest.raises(InstanceFailed, match="ended with status 0") as raised:
        list(stage.measure(upto="2"))
    assert "a workload that stays" in raised.value.hint


def test_an_instance_that_does_not_answer_is_not_alive(stage):
    stage.plugin.faults["exec"] = InstanceFailed("its channel is hung up")
    with pytest.raises(InstanceFailed, match="instance 1 of 1 does not answer: its channel is hung up"):
        list(stage.measure(upto="2"))


def test_one_that_does_not_answer_because_it_ends_is_gone(stage):
    def die(_: FakeProcess) -> int:
        for victim in list(stage.plugin.instances.values()):
            victim.die(signal.SIGSEGV)
        return 1

    stage.plugin.programs = {**stage.plugin.programs, "true": die}
    with pytest.raises(InstanceFailed, match="instance 1 of 1 is gone: it was killed by signal 11"):
        list(stage.measure(upto="2"))


def test_what_the_first_instance_is_refused_for_stands_for_itself(stage):
    stage.plugin.faults["start"] = Unsupported("it cannot")
    with pytest.raises(Unsupported, match=r"^it cannot$"):
        list(stage.measure(upto="2"))


def test_the_memory_floor_ends_the_ramp(stage, monkeypatch):
    real = look.meminfo()

    def meminfo() -> dict[str, int]:
        return {**real, "MemTotal": 1000, "MemAvailable": 500 - 100 * len(stage.started)}

    monkeypatch.setattr(look, "meminfo", meminfo)
    values = list(stage.measure(upto="10", memory_floor="20%"))
    reached = only(values, "density.reached")
    assert (reached.value, reached.labels["limit"]) == (4, "memory")
    assert only(values, "density.marginal_memory").value == pytest.approx(100)
    fits = only(values, "density.fits")
    assert (fits.value, fits.labels["binding"]) == (3, "memory")  # (500 - 200) / 100


def test_the_time_budget_ends_the_ramp(stage, monkeypatch):
    monkeypatch.setattr(ramp, "monotonic", lambda: 10.0 * len(stage.started))
    values = list(stage.measure(upto="10", budget="25s"))
    reached = only(values, "density.reached")
    assert (reached.value, reached.labels["limit"]) == (3, "time budget")


def test_another_host_is_asked_for_by_its_memory(stage):
    values = list(stage.measure(upto="2", host="64G"))
    assert [one.labels["host"] for one in values if one.metric.name == "density.fits"] == ["this host", "64 GiB"]


def test_so_many_at_a_time_come_up_to_the_same(stage):
    values = list(stage.measure(upto="10", at_once="4"))
    assert only(values, "density.reached").value == 10
    assert set(all_of(values, "startup.ready")) == {0, 1, 2, 5, 10}


def test_of_several_at_a_time_those_that_started_are_kept(stage):
    def some_fail(number: int) -> None:
        if number == 7:
            stage.plugin.faults["create"] = OSError(errno.ENOMEM, "Cannot allocate memory")

    stage.on_start = some_fail
    values = list(stage.measure(upto="20", at_once="2"))
    reached = only(values, "density.reached")
    assert (reached.value, reached.labels["limit"]) == (8, "memory")  # with the one that was started beside it


@pytest.mark.parametrize(
    ("variants", "workload", "refused"),
    [
        (("process", "container", "vm"), Workload(), None),
        (("container:memory=64M", "vm:memory=256M"), Workload(), "unequal memory: 64 MiB and 256 MiB"),
        (("container:memory=64M", "vm"), Workload(), "unequal memory: 64 MiB and its default"),
        (("container:cpus=1", "vm:cpus=2"), Workload(), "unequal cpus: 1 and 2"),
        (("process", "container:memory=128M", "vm:memory=128M"), Workload(), None),
        (("container:memory=64M", "container:memory=1G"), Workload(), "unequal memory"),
    ],
)
def test_unequal_requests_are_refused_unless_allowed(home, variants, workload, refused):
    parsed = [Variant.parse(text) for text in variants]
    with Lab(home) as lab:
        if refused is None:
            Density().agree(lab, parsed, workload, {"unequal": "no"})
        else:
            with pytest.raises(InputError, match=refused) as raised:
                Density().agree(lab, parsed, workload, {"unequal": "no"})
            assert str(raised.value).startswith(f"{variants[0]} and {variants[1]} ask")
        Density().agree(lab, parsed, workload, {"unequal": "yes"})


def test_a_comparison_of_unequal_requests_is_refused_before_anything_is_made(compare, tmp_path):
    unequal = ("container:memory=64M", "vm:memory=256M")
    with pytest.raises(InputError, match="unequal memory"):
        compare("sleep", backends=unequal, benchmarks=("density:upto=1,settle=0.01s",))
    assert not (tmp_path / "run").exists()


def test_the_soft_limit_of_descriptors_is_raised_where_needed_and_put_back():
    code = """
import resource
from isoscope.benchmarks.descriptors import Descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
with Descriptors() as descriptors:
    descriptors.make_room(4, 100)
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    descriptors.make_room(4, 1000)
    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1024", "4096", "1024"]


def test_spare_descriptors_are_there_when_all_others_are_used():
    with Descriptors() as descriptors:
        before = len(os.listdir("/proc/self/fd"))
        descriptors.release_spare()
        assert len(os.listdir("/proc/self/fd")) <= before - 32
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == Descriptors()._limits
