"""SIGKILL at several points: what is left is shown as lost, gc removes it, and others go on."""

import json
import select
import signal
import subprocess
from pathlib import Path

import pytest
from isoscope.core.inotify import IN_MOVED_TO, Watch
from isoscope.testing.host import HostWatch

from .conftest import Ending, done, isoscope, listed, refused, start, status

pytestmark = [pytest.mark.root]

READY = ("sh", "-c", "echo ready; exec sleep 1000")

IN_CREATE = 0x0100


def owner(name: str) -> int:
    return int(listed("inspect", name)[0]["owner"]["pid"])


@pytest.mark.parametrize("network", ["none", "bridge"])
def test_a_keeper_killed_while_its_workload_runs(stocked_home, network):
    with HostWatch(stocked_home) as watch:
        done("run", "-d", "--name", "web", "--network", network, "--memory", "64M", "--", *READY)
        with start("logs", "-f", "web") as follower, start("wait", "web") as waiter:
            assert follower.stdout.readline() == "ready\n"
            Ending(owner("web")).kill()
            assert follower.communicate(timeout=60) == ("", "")  # it hears of the end by itself
            assert "it is lost" in waiter.communicate(timeout=60)[1]
        assert status("web") == "lost"
        assert done("logs", "web") == "ready\n"
        for verb in ("kill", "stop", "pause", "stats", "wait", "start"):
            _, hint = refused(isoscope(verb, "web"), 2)
            assert "isoscope gc" in hint
        assert "removed instance web (container)" in done("gc")
        assert listed("ps", "-a") == []
        assert "instance" not in done("gc")
        assert watch.difference() == []


def test_a_lost_one_can_be_removed_by_name(stocked_home):
    done("run", "-d", "--name", "web", "--", *READY)
    Ending(owner("web")).kill()
    assert done("rm", "web") == "web\n"
    assert listed("ps", "-a") == []


def test_a_name_is_free_once_gc_has_been(stocked_home):
    done("run", "-d", "--name", "web", "--", *READY)
    Ending(owner("web")).kill()
    _, hint = refused(isoscope("run", "-d", "--name", "web", "--", *READY), 2)
    assert "isoscope rm -f web" in hint
    done("gc")
    assert done("run", "-d", "--name", "web", "--", *READY) == "web\n"
    done("rm", "-f", "web")


def test_gc_leaves_the_living_and_the_stopped_alone(stocked_home):
    done("run", "-d", "--name", "dead", "--", *READY)
    done("run", "-d", "--name", "detached", "--network", "bridge", "--", *READY)
    done("create", "--name", "created", "--", "true")
    done("run", "--name", "stopped", "--", "echo", "kept")
    with start("run", "--name", "foreground", "--", *READY) as run:
        assert run.stdout.readline() == "ready\n"
        Ending(owner("dead")).kill()
        assert listed("gc")[0] == "removed instance dead (container)"
        assert [(row["name"], row["status"]) for row in listed("ps", "-a")] == [
            ("detached", "running"),
            ("created", "created"),
            ("stopped", "stopped"),
            ("foreground", "running"),
        ]
        assert done("exec", "detached", "--", "cat", "/sys/class/net/eth0/operstate") == "up\n"
        assert done("logs", "stopped") == "kept\n"
        done("stop", "-t", "0", "foreground")
        assert run.wait(60) == 137
    done("rm", "-f", "detached", "created", "stopped", "foreground")


def test_the_foreground_killed(stocked_home):
    with start("run", "--name", "web", "--", *READY) as run:
        assert run.stdout.readline() == "ready\n"
        run.kill()
    assert run.returncode == -signal.SIGKILL
    assert status("web") == "lost"
    assert "removed instance web" in done("gc")
    assert listed("ps", "-a") == []


def first(directory: Path, pattern: str) -> Path:
    """The first entry of a directory that fits, as soon as it is there."""
    with Watch(directory, IN_CREATE | IN_MOVED_TO) as watch:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        while not (found := sorted(directory.glob(pattern))):
            assert poll.poll(60_000), f"{directory}/{pattern} did not appear"
            watch.drain()
    return found[0]


@pytest.mark.parametrize("options", [(), ("-d",)], ids=["foreground", "detached"])
@pytest.mark.parametrize("created", ["record.json", "log", "control"])
def test_the_keeper_killed_as_soon_as_a_file_of_it_appears(stocked_home, options, created):
    """The record comes first, the log with the instance, the socket after it."""
    instances = stocked_home / "instances"
    instances.mkdir(exist_ok=True)
    with HostWatch(stocked_home) as watch:
        with start("run", *options, "--", *READY, stderr=subprocess.DEVNULL):
            directory = first(instances, "*")
            pid = json.loads(first(directory, "record.json").read_text())["owner"]["pid"]
            first(directory, created)
            Ending(pid).kill()
        assert [row["status"] for row in listed("ps", "-a")] == ["lost"]
        done("gc")
        assert listed("ps", "-a") == []
        assert watch.difference() == []


def test_the_keeper_killed_while_it_releases(stocked_home):
    with HostWatch(stocked_home) as watch:
        for _ in range(5):
            name = done("run", "-d", "--", *READY).strip()
            ending = Ending(owner(name))
            done("kill", "-s", "KILL", name)
            ending.kill()
        done("gc")
        names = [row["name"] for row in listed("ps", "-a")]  # those that were released in time are stopped
        assert {row["status"] for row in listed("ps", "-a")} <= {"stopped"}
        if names:
            done("rm", *names)
        assert watch.difference() == []


@pytest.mark.vm
def test_a_virtual_machines_keeper_killed(stocked_home):
    with HostWatch(stocked_home) as watch:
        done("run", "-d", "-b", "vm", "--name", "guest", "--network", "bridge", "--", *READY)
        Ending(owner("guest")).kill()
        assert status("guest") == "lost"
        assert "removed instance guest (vm)" in done("gc")
        assert watch.difference() == []
