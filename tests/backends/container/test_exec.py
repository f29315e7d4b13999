"""Second commands in a container."""

from __future__ import annotations

import signal

import pytest
from isoscope.backends.container.namespaces import EnterNamespaces
from isoscope.backends.launcher import syscalls
from isoscope.backends.launcher.step import Scene
from isoscope.core import Exit
from isoscope.core.errors import CommandNotFound, StateError
from isoscope.testing.channel import Channel

pytestmark = pytest.mark.root


def execute(instance, *command, terminal=False):
    with Channel(terminal=terminal) as channel:
        how = instance.exec(command, channel.stdio, terminal=terminal).wait(60)
        return how, channel.finish()[0].decode()


@pytest.fixture
def sleeper(box):
    instance = box.start("sh", "-c", "echo up; exec sleep 1000")
    instance.wait_ready(60)
    return instance


def test_it_is_where_the_first_command_is_and_may_do_no_more(sleeper):
    names = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
    script = "; ".join(f"readlink /proc/self/ns/{name} /proc/1/ns/{name}" for name in names)
    _, output = execute(sleeper, "sh", "-c", script)
    links = output.split()
    assert links[::2] == links[1::2]
    status = "grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/{}/status"
    assert execute(sleeper, "sh", "-c", status.format("self")) == execute(sleeper, "sh", "-c", status.format(1))
    assert execute(sleeper, "sh", "-c", "cat /proc/self/cgroup")[1] == execute(sleeper, "cat", "/proc/1/cgroup")[1]


def test_those_inside_cannot_look_into_it_while_it_comes(monkeypatch):
    """It holds descriptors of the host until it executes, so it hides before it enters (runc's CVE-2016-9962)."""
    calls = []
    monkeypatch.setattr(syscalls, "prctl", lambda *arguments: calls.append(("prctl", *arguments)))
    monkeypatch.setattr(syscalls, "setns", lambda *arguments: calls.append(("setns", *arguments)))
    monkeypatch.setattr(syscalls, "clone3", lambda *_: (0, -1))
    EnterNamespaces(("CLONE_NEWNS", "CLONE_NEWPID")).execute(Scene({"target": 5}))
    set_dumpable, no = 4, 0  # linux/prctl.h
    assert calls == [("prctl", set_dumpable, no), ("setns", 5, 0x20020000)]


def test_its_orphans_stay_and_are_counted(sleeper):
    assert execute(sleeper, "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 & exit 4")[0] == Exit(code=4)
    assert sleeper.stats().pids == 2


def test_it_ends_with_the_container(sleeper):
    execution = sleeper.exec(("sleep", "1000"))
    sleeper.kill(signal.SIGKILL)
    assert execution.wait(60) == Exit(signal=signal.SIGKILL)
    assert sleeper.wait(60) == Exit(signal=signal.SIGKILL)


def test_a_terminal(sleeper):
    how, output = execute(sleeper, "sh", "-c", "tty; test -t 0 && echo yes", terminal=True)
    assert how == Exit(code=0)
    assert output.splitlines()[0].startswith("/dev/pts/")
    assert output.splitlines()[1] == "yes"


def test_a_command_that_does_not_exist_leaves_the_container_as_it_is(sleeper):
    with pytest.raises(CommandNotFound):
        sleeper.exec(("no-such",))
    assert sleeper.stats().pids == 1


def test_into_one_that_has_ended(box):
    instance = box.start("true")
    instance.wait(60)
    with pytest.raises(StateError):
        instance.exec(("true",))


def test_many_at_once(sleeper):
    executions = [sleeper.exec(("sh", "-c", f"exit {number}")) for number in range(10)]
    assert [execution.wait(60).code for execution in executions] == list(range(10))
