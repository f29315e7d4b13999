"""The fake backend does as it is told."""

from __future__ import annotations

import signal
import threading

import pytest
from isoscope.core import Capabilities, Exit, Stats, Status, Workload
from isoscope.core.backend import Lack
from isoscope.core.errors import (
    BackendUnavailable,
    CommandNotExecutable,
    CommandNotFound,
    InputError,
    InstanceFailed,
    NotFound,
    Unsupported,
)
from isoscope.core.output import read_log
from isoscope.testing.channel import Channel
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.fake_programs import PROGRAMS


@pytest.fixture
def lab(fake_lab):
    return fake_lab


def run(lab, *command, channel=None, **terms):
    stdio = channel.stdio if channel else None
    with lab.start(Workload(command=command, **terms), "fake", stdio=stdio) as instance:
        how = instance.wait(10)
        return how, b"".join(data for _, data in read_log(instance.record.log))


def test_its_programs(lab):
    assert run(lab, "echo", "a", "b") == (Exit(code=0), b"a b\n")
    assert run(lab, "true") == (Exit(code=0), b"")
    assert run(lab, "false") == (Exit(code=1), b"")
    assert run(lab, "exit", "42") == (Exit(code=42), b"")
    assert run(lab, "sleep", "0.001") == (Exit(code=0), b"")
    assert run(lab, "printenv", "COLOUR", environment={"COLOUR": "red"}) == (Exit(code=0), b"red\n")
    assert run(lab, "printenv", "NONE") == (Exit(code=1), b"")
    assert b"PATH=/" in run(lab, "printenv")[1]
    with Channel(stdin=b"through") as channel:
        assert run(lab, "cat", channel=channel) == (Exit(code=0), b"through")
    with pytest.raises(CommandNotFound):
        run(lab, "nothing")
    with pytest.raises(CommandNotExecutable):
        run(lab, "/")


def test_any_function_is_a_program(home):
    plugin = FakePlugin(programs={**PROGRAMS, "shout": lambda process: process.write(process.argv[1].upper())})
    with lab_with(home, plugin) as lab:
        assert run(lab, "shout", "hey") == (Exit(code=0), b"HEY")
        lab.gc()


def test_a_lab_with_it_knows_nothing_else(lab):
    assert lab.backend_names == ("fake",)
    assert [image["name"] for image in lab.images.ls()] == ["base"]
    with pytest.raises(NotFound):
        run(lab, "true", image="other")
    with pytest.raises(InputError, match="colour=green"):
        lab.create(Workload(command=("true",)), "fake:colour=green")


def live(lab, verb):
    with lab.start(Workload(command=("sleep", "1000")), "fake") as instance:
        if verb not in ("create", "start", "delete"):
            getattr(instance, verb)(*[("true",)] if verb == "exec" else [])


@pytest.mark.parametrize("verb", ["create", "start", "delete", "kill", "pause", "stats", "exec"])
def test_any_verb_can_fail(lab, fake, verb):
    fake.faults[verb] = InstanceFailed(f"{verb} was told to fail")
    with pytest.raises(InstanceFailed, match=f"{verb} was told to fail"):
        live(lab, verb)
    fake.faults.clear()
    for instance in list(fake.instances.values()):
        instance.delete()
    assert ("start", fake.calls[0][1]) in fake.calls or verb == "create"


def test_reclaim_can_fail_and_gc_says_so(lab, fake, monkeypatch):
    instance = lab.create(Workload(command=("true",)), "fake")
    monkeypatch.setattr("isoscope.core.registry.Owner.alive", lambda owner: False)
    fake.faults["reclaim"] = InstanceFailed("it is stuck")
    assert "it is stuck" in lab.gc()[0]
    del fake.faults["reclaim"]
    assert lab.gc()[0].startswith(f"removed instance {instance.record.name}")
    instance.delete()


def test_any_verb_can_be_held_back(lab, fake):
    fake.gates["start"] = gate = threading.Event()
    instance = lab.create(Workload(command=("true",)), "fake")
    starting = threading.Thread(target=instance.start)
    starting.start()
    assert not instance.timeline.moments.get("exec")
    gate.set()
    starting.join()
    assert instance.wait(10) == Exit(code=0)
    instance.delete()


def test_an_instance_can_die_by_itself(lab, fake):
    with lab.start(Workload(command=("sleep", "1000")), "fake") as instance:
        fake.instances[instance.record.id].die(signal.SIGKILL, oom_killed=True)
        assert instance.wait(10) == Exit(signal=signal.SIGKILL, oom_killed=True)
    assert fake.instances == {}


def test_a_frozen_process_is_ended_by_sigkill_alone(lab):
    with lab.start(Workload(command=("sleep", "1000")), "fake") as instance:
        instance.pause()
        instance.kill(signal.SIGTERM)
        assert not instance._exited.wait(0.05)
        instance.resume()
        assert instance.wait(10) == Exit(signal=signal.SIGTERM)
    with lab.start(Workload(command=("sleep", "1000")), "fake") as instance:
        instance.pause()
        instance.kill(signal.SIGKILL)
        assert instance.wait(10) == Exit(signal=signal.SIGKILL)


def test_it_counts_tasks_and_ends_second_commands_with_the_first(lab):
    with lab.start(Workload(command=("sleep", "1000")), "fake") as instance:
        second = instance.exec(("sleep", "1000"))
        assert instance.stats() == Stats(cpu_ns=1_000_000, memory=1 << 20, memory_peak=1 << 20, pids=2)
        instance.stop()
        assert second.wait(10) == Exit(signal=signal.SIGKILL)


def test_forgetting_to_delete_shows(home, fake):
    with lab_with(home, fake) as lab:
        instance = lab.start(Workload(command=("true",)), "fake")
        assert list((home / "fake").iterdir())
        instance.delete()
        assert instance.status is Status.DELETED
        assert not list((home / "fake").iterdir())
        assert lab.gc() == [f"removed {home}/fake"]


def test_it_can_be_unavailable(home):
    plugin = FakePlugin(lacks=[Lack("the moon is not full", "wait")])
    with lab_with(home, plugin) as lab, pytest.raises(BackendUnavailable, match="the moon is not full"):
        lab.create(Workload(command=("true",)), "fake")


def test_it_can_do_less(home):
    plugin = FakePlugin(name="less", capabilities=Capabilities())
    with lab_with(home, plugin) as lab, pytest.raises(Unsupported, match="cannot limit pids"):
        lab.create(Workload(command=("true",)), "less:pids=5")
