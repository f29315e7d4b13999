import os
import subprocess

import pytest
from isoscope.core import Plan, Resources, Stats, Workload
from isoscope.core.backend import Lack
from isoscope.core.errors import (
    BackendUnavailable,
    InputError,
    InstanceFailed,
    NameTaken,
    NotFound,
    StateError,
    Timeout,
    Unsupported,
)
from isoscope.core.registry import Owner
from isoscope.testing.fake import FakeBackend, FakePlugin, lab_with

SLEEP = Workload(command=["sleep", "60"])


@pytest.fixture
def plugin():
    return FakePlugin()


@pytest.fixture
def lab(home, plugin):
    with lab_with(home, plugin) as lab:
        yield lab


@pytest.mark.parametrize(
    ("workload", "backend", "error"),
    [
        (SLEEP, "nosuch", NotFound),
        (SLEEP, "fake:nosuch=1", InputError),
        (SLEEP, "fake:memory=none", InputError),
        (SLEEP, "fake:network=vf", Unsupported),
        (Workload(image="nosuch", command=["true"]), "fake", NotFound),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_recorded(lab, workload, backend, error):
    with pytest.raises(error) as caught:
        lab.create(workload, backend)
    assert caught.value.hint
    assert list(lab.registry) == []


def test_an_unready_backend_says_what_it_lacks(lab, monkeypatch):
    monkeypatch.setattr(FakeBackend, "lacks", lambda self: [Lack("no fakery here", "apt-get install fakery")])
    with pytest.raises(BackendUnavailable, match="no fakery here") as caught:
        lab.create(SLEEP, "fake")
    assert caught.value.hint == "apt-get install fakery"


def test_a_variants_terms_reach_the_instance(lab):
    with lab.start(Workload(command=["sleep", "60"], resources=Resources(pids=5)), "fake:memory=64M") as instance:
        assert instance.workload.resources == Resources(memory=64 << 20, pids=5)
        assert instance.record.variant == "fake:memory=64M"


def test_a_name_is_given_to_one_instance(lab):
    with lab.start(SLEEP, "fake", name="web"), pytest.raises(NameTaken):
        lab.start(SLEEP, "fake", name="web")
    with lab.start(SLEEP, "fake", name="web") as instance:
        assert lab.registry.find("web").id == instance.record.id


def test_a_plan_leaves_nothing(lab):
    assert lab.plan(SLEEP, "fake")
    assert list(lab.registry) == []


def test_a_failed_start_leaves_nothing(lab):
    with pytest.raises(Exception, match="nosuch"):
        lab.start(Workload(command=["nosuch"]), "fake")
    assert list(lab.registry) == []


def test_an_instance_that_never_ran_says_so_instead_of_waiting_for_ever(lab):
    with lab.create(Workload(command=["nosuch"]), "fake") as instance:
        with pytest.raises(StateError):
            instance.wait()
        with pytest.raises(Exception, match="nosuch"):
            instance.start()
        with pytest.raises(InstanceFailed, match="never ran"):
            instance.wait()


def test_waiting_ends_in_time(lab):
    with lab.start(SLEEP, "fake") as instance, pytest.raises(Timeout) as caught:
        instance.wait(0.001)
    assert caught.value.transient
    assert caught.value.hint


def test_gc_removes_what_dead_owners_left_and_nothing_else(lab, home):
    with lab.start(SLEEP, "fake", name="alive"):
        process = subprocess.Popen(["true"])
        dead = Owner(process.pid, 1, Owner.current().boot_id)
        process.wait()
        lost = lab.registry.create(name="lost", variant="fake", workload={}, image="x")
        lost.owner = dead
        lost.save()
        ended = lab.registry.create(name="ended", variant="fake", workload={}, image="x")
        ended.owner, ended.exit = dead, {"exit_status": 0}
        ended.save()
        foreign = lab.registry.create(name="foreign", variant="uninstalled", workload={}, image="x")
        foreign.owner = dead
        foreign.save()
        lines = lab.gc()
        assert {record.name for record in lab.registry} == {"alive", "ended", "foreign"}
        assert "removed instance lost (fake)" in lines
        assert any(line.startswith("kept instance foreign") for line in lines)
    ended.forget()
    foreign.forget()


def test_a_workload_is_read_from_a_file(lab, tmp_path):
    path = tmp_path / "web.toml"
    path.write_text('command = ["sleep", "1"]\n[resources]\nmemory = 67108864\n')
    workload = lab.workload(str(path))
    assert workload.name == "web"
    assert workload.resources.memory == 64 << 20


@pytest.mark.parametrize(
    "text",
    ["command = [", "comand = []", "\udcff", 'network = "wifi"', "command = 5", 'command = "true"', "command = [1]"],
)
def test_a_malformed_workload_file_is_refused(lab, tmp_path, text):
    path = tmp_path / "web.toml"
    path.write_bytes(os.fsencode(text))
    with pytest.raises(InputError) as caught:
        lab.workload(str(path))
    assert caught.value.hint


def test_unknown_workloads_are_answered_with_the_known_ones(lab):
    with pytest.raises(NotFound):
        lab.workload("nosuch")
    with pytest.raises(InputError, match=r"nosuch\.toml"):
        lab.workload("nosuch.toml")


def test_a_run_to_the_end_tells_all_and_leaves_nothing(lab, home):
    result = lab.run(Workload(command=["echo", "hello"]), "fake:memory=64M")
    assert (result.exit_status, result.output, result.stderr) == (0, "hello\n", "")
    assert result.workload.resources.memory == 64 << 20
    assert str(result.variant) == "fake:memory=64M"
    assert result.timeline.span("start", "deleted") > 0
    assert list(lab.registry) == []


def test_a_status_is_no_error_and_a_time_out_leaves_nothing(lab):
    assert lab.run(Workload(command=["false"]), "fake").exit_status == 1
    with pytest.raises(Timeout):
        lab.run(SLEEP, "fake", timeout=0.01)
    assert list(lab.registry) == []


def test_a_registered_workload_is_run_and_planned_by_its_name(lab, plugin, monkeypatch):
    monkeypatch.setattr(lab, "workload", lambda name: Workload(command=["echo", name]))
    assert lab.run("greet", "fake").output == "greet\n"
    assert isinstance(lab.plan("greet", "fake"), Plan)
    assert list(lab.registry) == []


def test_what_was_used_is_known_only_in_the_end(lab):
    with lab.start(SLEEP, "fake") as instance:
        with pytest.raises(StateError):
            instance.used()
        instance.stop()
        assert instance.used() == Stats()


def test_what_lacks_something_is_not_ready(lab, plugin):
    assert lab.ready() == ["fake"]
    plugin.lacks.append(Lack("no fakery here", "apt-get install fakery"))
    assert lab.ready() == []
