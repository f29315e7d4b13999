"""What a trial finds, whatever becomes of the two: on a lab in memory, where all of it can be arranged."""

from __future__ import annotations

import signal

import pytest
from isoscope.benchmarks.interference.benchmark import Interference
from isoscope.benchmarks.interference.victim import Victim
from isoscope.core import Capabilities, Workload
from isoscope.core.errors import InputError, WorkloadFailed

from .conftest import found, trial


def test_every_neighbour_is_met_with_limits_and_without(measure, street, plugin):
    values = measure("unlimited=yes")
    slowdowns, finished = found(values, "slowdown"), found(values, "finished")
    expected = {(limits, name) for limits in ("on", "off") for name in ("cpu", "memory", "disk", "fork-bomb")}
    assert slowdowns.keys() == finished.keys() == expected
    assert all(one.value and one.value > 0 for one in slowdowns.values())
    assert all(one.value == 1 for one in finished.values())
    alone = found(values, "alone")
    assert alone.keys() == {("on", ""), ("off", "")}
    assert [verb for verb, _ in plugin.calls].count("create") == [v for v, _ in plugin.calls].count("delete") == 10
    assert [command[1] for command in street.seen] != sorted(c[1] for c in street.seen)  # in no order of the alphabet


def test_labels_say_who_met_whom_and_on_which_terms(measure):
    values = measure("neighbours=memory", "memory=64M", "pids=32", "victim=disk")
    labels = found(values, "slowdown")["on", "memory"].labels
    assert labels["class"] == "orthogonal"
    assert labels["victim"] == "disk"
    assert labels["ended"] == "finished"
    assert str(labels["victim_limits"]).endswith("memory=64MiB pids=32")
    assert labels["neighbour_amount"] == 128 << 20  # twice its limit, so that it meets it
    assert found(values, "slowdown")["off", "memory"].labels["victim_limits"] == "none"


def test_what_the_neighbour_did_is_told(measure):
    labels = found(measure("neighbours=cpu"), "slowdown")["on", "cpu"].labels
    assert labels["neighbour_active"] is True
    assert labels["neighbour_refused"] == 3
    assert labels["neighbour_oom_kills"] == 1
    assert labels["neighbour_cpus"] == 0  # the fake has used none since
    assert "neighbour_tasks" not in labels  # it is no number


def test_a_victim_that_does_not_finish_has_no_slowdown_and_finished_is_zero(lab_in_memory, street):
    street.beside = lambda process: process.wait_signal()  # until it is killed
    asked = trial(lab_in_memory, "fake", "patience=1", "work=0.01", workload=Workload(image="base", command=("stay",)))
    values = list(Interference().measure(asked))
    slowdown = found(values, "slowdown")["on", "cpu"]
    assert slowdown.value is None
    assert slowdown.reason == "the victim did not finish within 1 times as long as alone"
    assert slowdown.labels["ended"] == "did not finish in time"
    assert {one.value for one in found(values, "finished").values()} == {0.0, None}  # None: what was not run


def test_a_victim_killed_for_want_of_memory_is_told_from_one_that_is_late(measure, street):
    street.beside = lambda process: process.allocate(1 << 60)
    values = measure("limits=on", "neighbours=memory")
    slowdown = found(values, "slowdown")["on", "memory"]
    assert slowdown.value is None
    assert slowdown.reason == "the victim was killed for want of memory"
    assert found(values, "finished")["on", "memory"].value == 0


def test_a_victim_that_fails_has_not_finished_and_its_words_are_kept(measure, street):
    def fail(process):
        process.write("victim: write: No space left on device\n", "stderr")
        process.signal(signal.SIGSEGV)
        process.tick()

    street.beside = fail
    values = measure("limits=on", "neighbours=disk")
    slowdown = found(values, "slowdown")["on", "disk"]
    assert slowdown.reason == "the victim failed: victim: write: No space left on device"
    assert found(values, "finished")["on", "disk"].value == 0


def test_a_victim_that_prints_without_end_is_given_up(lab_in_memory, street):
    def babble(process):
        while True:
            process.write("x" * 5000)
            process.write("\nready\nwork work\n")

    street.beside = babble
    workload = Workload(image="base", command=("stay",))
    asked = trial(lab_in_memory, "fake", "patience=1", "work=0.01", "limits=on", "neighbours=cpu", workload=workload)
    values = list(Interference().measure(asked))
    assert found(values, "slowdown")["on", "cpu"].labels["ended"] == "did not finish in time"


def test_a_victim_that_cannot_even_begin_alone_makes_the_trial_fail(measure, plugin):
    plugin.programs["victim"] = lambda process: 3
    with pytest.raises(WorkloadFailed, match="the victim failed with nobody beside it"):
        measure()


@pytest.mark.parametrize(
    ("command", "programs", "message"),
    [(["echo", "up"], {}, "ended before the victim had begun"), (["stay"], {"victim": None}, "no program `victim`")],
)
def test_a_workload_that_cannot_be_the_victims_is_named_as_the_reason(
    lab_in_memory, plugin, command, programs, message
):
    plugin.programs = {name: program for name, program in plugin.programs.items() if name not in programs}
    asked = trial(lab_in_memory, "fake", "work=0.01", workload=Workload(image="base", command=command))
    with pytest.raises(InputError, match=message):
        list(Interference().measure(asked))


def test_a_neighbour_that_fails_does_not_take_the_others_with_it(lab_in_memory, street):
    def hog(process):
        if process.argv[1] == "disk":
            process.write("hog: /var/tmp/isoscope-hog: Read-only file system\n", "stderr")
            return 1
        process.write("active\n")
        process.wait_signal()
        return 0

    street.hog = hog
    workload = Workload(image="base", command=("stay",))
    asked = trial(lab_in_memory, "fake", "patience=1000000", "work=0.01", "limits=on", workload=workload)
    values = []
    with pytest.raises(WorkloadFailed, match="the neighbour disk ended with status 1") as raised:
        values.extend(Interference().measure(asked))
    assert raised.value.hint == "hog: /var/tmp/isoscope-hog: Read-only file system"
    slowdowns = found(values, "slowdown")
    assert slowdowns["on", "disk"].value is None
    assert "ended with status 1" in slowdowns["on", "disk"].reason
    assert all(slowdowns["on", name].value is not None for name in ("cpu", "memory", "fork-bomb"))


def test_a_neighbour_killed_for_want_of_memory_is_expected(measure, street):
    def starve(process):
        process.write("active\n")
        process.allocate(1 << 60)

    street.hog = starve
    labels = found(measure("limits=on", "neighbours=memory"), "slowdown")["on", "memory"].labels
    assert labels["neighbour_oom_kills"] == 1


def test_a_neighbour_that_was_not_there_to_the_end_is_told(measure, street):
    def leave(process):
        process.write("active\n")
        gone.append(process)
        return 0

    gone = []
    street.hog = leave
    street.beside = lambda process: gone[-1].ended.wait() and None
    labels = found(measure("limits=on", "neighbours=cpu"), "slowdown")["on", "cpu"].labels
    assert labels["neighbour_active"] is False


def test_what_cannot_be_limited_is_unavailable_with_limits_and_measured_without(measure, plugin, street):
    plugin.capabilities = Capabilities(exec=True, stats=True)
    values = measure("neighbours=cpu+disk")
    reasons = {one.reason for key, one in found(values, "slowdown").items() if key[0] == "on"}
    assert reasons == {"limits=on: backend 'fake' cannot limit cpus, memory, pids"}
    assert found(values, "finished")["on", "cpu"].value is None
    assert found(values, "slowdown")["off", "cpu"].value is not None


def test_a_fork_bomb_without_limits_is_let_loose_only_when_told(measure, street):
    values = measure("limits=off", "neighbours=fork-bomb")
    assert street.seen == []
    assert "unlimited=yes" in found(values, "slowdown")["off", "fork-bomb"].reason
    measure("limits=off", "neighbours=fork-bomb", "unlimited=yes")
    assert [command[:2] for command in street.seen] == [("hog", "fork-bomb")]


def test_a_fork_bomb_behind_a_kernel_of_its_own_needs_no_leave(measure, plugin, street):
    limits = frozenset({"cpus", "memory", "pids"})
    plugin.capabilities = Capabilities(limits=limits, exec=True, stats=True, own_kernel=True)
    values = measure("limits=off", "neighbours=fork-bomb")
    assert found(values, "finished")["off", "fork-bomb"].value == 1


def test_a_warm_up_only_sets_the_work(measure, street):
    values = measure(warmup=True)
    assert street.seen == []
    assert [v.metric.name for v in values if v.value is not None] == ["interference.alone"]


def test_work_is_the_same_in_every_trial_of_a_variant(lab_in_memory):
    benchmark, workload = Interference(), Workload(image="base", command=("stay",))
    units = set()
    for warmup in (True, False, False):
        asked = trial(
            lab_in_memory, "fake", "patience=1000000", "work=0.02", "neighbours=cpu", workload=workload, warmup=warmup
        )
        units |= {v.labels["units"] for v in benchmark.measure(asked) if "units" in v.labels}
    assert len(units) == 1


def test_everything_is_deleted_when_a_signal_comes_in_the_middle(lab_in_memory, monkeypatch, plugin):
    run, calls = Victim.run, []

    def interrupted(self, units, timeout):
        calls.append(units)
        if len(plugin.instances) > 1:
            raise KeyboardInterrupt
        return run(self, units, timeout)

    monkeypatch.setattr(Victim, "run", interrupted)
    asked = trial(lab_in_memory, "fake", "work=0.01", workload=Workload(image="base", command=("stay",)))
    with pytest.raises(KeyboardInterrupt):
        list(Interference().measure(asked))
    assert plugin.instances == {}
