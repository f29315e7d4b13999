"""The keeper and those who ask it, in one process: the instance does what the test says."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from isoscope.core.errors import (
    CommandNotFound,
    InputError,
    InstanceFailed,
    NotFound,
    StateError,
    Timeout,
    Unsupported,
)
from isoscope.core.instance import Execution, Exit, Instance, Stats, Status
from isoscope.core.keeper import Keeper
from isoscope.core.launch import Launch
from isoscope.core.output import Stdio, read_log
from isoscope.core.pump import Pump
from isoscope.core.registry import Owner, Registry
from isoscope.core.remote import PATIENCE, Held, Lost, RemoteInstance
from isoscope.core.rootfs import Rootfs
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload


class ScriptedExecution(Execution):
    def __init__(self, command, stdio):
        self.command, self.signals, self.sizes = command, [], []
        self.stdio = stdio
        self.ended = threading.Event()
        self.exit = Exit(code=0)

    def wait(self, timeout=None):
        assert self.ended.wait(60)
        return self.exit

    def kill(self, signal_number):
        self.signals.append(signal_number)
        self.exit = Exit(signal=signal_number)
        self.ended.set()

    def resize(self, rows, columns):
        self.sizes.append((rows, columns))


class ScriptedInstance(Instance):
    refuses_start: Exception | None = None
    ignores = ()
    threads: set

    def __init__(self, launch):
        super().__init__(launch)
        self.calls, self.threads, self.executions = [], set(), []
        self.started_exec = threading.Event()

    def note(self, call):
        self.calls.append(call)
        self.threads.add(threading.current_thread().name)

    def _start(self):
        self.note("start")
        self.record.claim(thing="made")
        if self.refuses_start:
            raise self.refuses_start

    def _kill(self, signal_number):
        self.note(("kill", signal_number))
        if signal_number not in self.ignores:
            self.saw_exit(Exit(signal=signal_number))

    def _delete(self):
        self.note("delete")

    def _pause(self):
        self.note("pause")

    def _resume(self):
        self.note("resume")

    def _stats(self):
        self.note("stats")
        return Stats(cpu_ns=7, memory=None)

    def _exec(self, command, stdio, terminal):
        self.note(("exec", command, terminal))
        if command[0] == "nosuch":
            raise CommandNotFound("nosuch")
        # What is passed on is the caller's, and closed when the command has ended.
        os.write(stdio.stdout, b"from the command")
        execution = ScriptedExecution(command, stdio)
        self.executions.append(execution)
        self.started_exec.set()
        return execution

    def resize(self, rows, columns):
        self.note(("resize", rows, columns))

    def proof(self):
        return {"kernel": "scripted"}


@pytest.fixture
def registry():
    home = Path(tempfile.mkdtemp(prefix="iso-", dir="/tmp"))  # short enough for a socket
    yield Registry(home)
    shutil.rmtree(home)


class Kept:
    """An instance on a keeper whose `run` has a thread of its own, and one who asks."""

    def __init__(self, registry, **kwargs):
        self.registry = registry
        record = registry.create(name="web", variant="scripted", workload=Workload().as_dict(), image="sha256:0")
        launch = Launch(
            record=record,
            workload=Workload(command=("true",)),
            rootfs=Rootfs("sha256:0", ()),
            variant=Variant("scripted"),
            options={},
            stdio=Stdio(),
            pump=Pump(),
        )
        self.instance = ScriptedInstance(launch)
        self.keeper = Keeper(self.instance, **kwargs)
        self.keeper.serve()
        self.thread = threading.Thread(target=self._keep, name="keeper")
        self.thread.start()

    def _keep(self):
        try:
            self.keeper.run()
        finally:
            self.keeper.release()

    @property
    def remote(self):
        return RemoteInstance(self.registry, self.registry.find("web"))

    def end(self):
        if self.instance.status in (Status.RUNNING, Status.PAUSED):
            self.instance.saw_exit(Exit(code=0))
        else:
            self.keeper.signal(signal.SIGTERM)
        self.thread.join(60)
        assert not self.thread.is_alive()
        self.instance.launch.pump.close()


@pytest.fixture
def kept(registry):
    kept = Kept(registry)
    yield kept
    kept.end()


@pytest.fixture
def running(kept):
    kept.remote.start()
    return kept


def in_background(function, *arguments, **keywords):
    """Call in a thread; the function returned gives what came of it."""
    outcome = []

    def call():
        try:
            outcome.append((function(*arguments, **keywords), None))
        except Exception as error:
            outcome.append((None, error))

    thread = threading.Thread(target=call)
    thread.start()

    def join():
        thread.join(60)
        [(result, error)] = outcome
        if error is not None:
            raise error
        return result

    return join


def test_a_life_through_the_socket(kept):
    remote = kept.remote
    assert remote.state()["status"] == "created"
    remote.start()
    assert remote.state()["status"] == "running"
    assert remote.state()["proof"] == {"kernel": "scripted"}
    assert remote.state()["timeline"]["start"] > 0
    remote.pause()
    assert remote.state()["status"] == "paused"
    remote.resume()
    assert remote.stats() == Stats(cpu_ns=7)
    waiting = in_background(remote.wait)
    remote.kill(signal.SIGUSR1)
    assert waiting() == Exit(signal=signal.SIGUSR1)
    kept.thread.join()
    record = kept.registry.find("web")
    assert record.exit == {"code": None, "signal": 10, "oom_killed": False, "exit_status": 138}
    assert record.resources == {}
    assert set(record.facts) == {"started_at", "ended_at", "timeline", "proof"}
    assert "deleted" in record.facts["timeline"]
    assert not record.socket.exists()
    assert kept.instance.calls == ["start", "pause", "resume", "stats", ("kill", signal.SIGUSR1), "delete"]


def test_what_a_backend_does_is_done_on_the_one_thread_that_lasts(running):
    running.remote.stats()
    running.remote.stop()
    running.thread.join()
    assert running.instance.threads == {"keeper"}


def test_a_stopped_instance_is_its_record(running):
    running.remote.stop()
    remote = running.remote
    assert remote.state() == {"status": "stopped"}
    assert remote.wait() == Exit(signal=signal.SIGTERM)
    for verb in (remote.start, remote.pause, remote.resume, remote.kill, remote.stop, remote.stats, remote.delete):
        with pytest.raises(StateError, match="it is stopped"):
            verb()


def test_one_who_asks_with_an_old_record_learns_of_the_end(running):
    old = running.remote
    running.remote.stop()
    assert old.wait() == Exit(signal=signal.SIGTERM)
    old = RemoteInstance(running.registry, running.registry.find("web"))
    old.record.exit = None
    with pytest.raises(StateError, match="it is stopped"):
        old.kill()
    old.record.exit = None
    assert old.state() == {"status": "stopped"}


def test_stop_wakes_a_paused_one_and_insists_on_one_that_ignores_it(running):
    running.instance.ignores = (signal.SIGTERM,)
    running.remote.pause()
    assert running.remote.stop(timeout=0.01) == Exit(signal=signal.SIGKILL)
    kills = [("kill", signal.SIGTERM), ("kill", signal.SIGKILL)]
    assert running.instance.calls == ["start", "pause", "resume", *kills, "delete"]


def test_others_are_served_while_a_stop_waits(running):
    running.instance.ignores = (signal.SIGTERM,)
    stopping = in_background(running.remote.stop, timeout=60)
    while ("kill", signal.SIGTERM) not in running.instance.calls:
        assert running.remote.stats()
    running.remote.kill(signal.SIGINT)
    assert stopping() == Exit(signal=signal.SIGINT)


def test_states_that_do_not_allow_it(kept):
    with pytest.raises(StateError, match="cannot wait for 'web': it is created"):
        kept.remote.wait()
    with pytest.raises(StateError, match="cannot stop 'web': it is created"):
        kept.remote.stop()
    with pytest.raises(StateError, match="cannot kill 'web': it is created"):
        kept.remote.kill()
    kept.remote.start()
    with pytest.raises(StateError, match="cannot start 'web': it is running"):
        kept.remote.start()
    assert kept.remote.state()["status"] == "running"
    with pytest.raises(StateError, match="cannot remove 'web': it is running") as caught:
        kept.remote.delete()
    assert "rm -f web" in caught.value.hint


def test_what_the_backend_cannot_do_is_told_as_such(running):
    def refuse():
        raise Unsupported("no statistics", hint="none")

    running.instance._stats = refuse
    with pytest.raises(Unsupported, match="no statistics"):
        running.remote.stats()


def test_a_defect_is_told_and_ends_nothing(running, caplog):
    running.instance._stats = lambda: 1 / 0
    with pytest.raises(InstanceFailed, match="defect in isoscope: ZeroDivisionError"):
        running.remote.stats()
    assert running.remote.state()["status"] == "running"
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("running_first", [False, True])
def test_delete_takes_the_record_along(registry, running_first):
    kept = Kept(registry)
    remote = kept.remote
    if running_first:
        remote.start()
    remote.delete(force=running_first)
    kept.thread.join()
    assert kept.instance.calls[-1] == "delete"
    assert list(registry) == []
    with pytest.raises(NotFound):
        remote.wait()
    kept.instance.launch.pump.close()


def test_those_who_wait_hear_of_a_forced_removal(running):
    waiting = in_background(running.remote.wait)
    while not running.keeper._service._clients:  # it must have asked before the record goes
        time.sleep(0)
    running.remote.delete(force=True)
    assert waiting() == Exit(signal=signal.SIGKILL)


def test_the_record_goes_with_the_instance_when_asked(registry):
    kept = Kept(registry, remove=True)
    kept.remote.start()
    waiting = in_background(kept.remote.wait)
    while not kept.keeper._service._clients:  # it must have asked before the record goes
        time.sleep(0)
    kept.instance.saw_exit(Exit(code=5))
    assert waiting() == Exit(code=5)
    kept.thread.join()
    assert list(registry) == []
    kept.instance.launch.pump.close()


@pytest.mark.parametrize(
    ("error", "status"), [(CommandNotFound("nosuch"), 127), (InstanceFailed("no bridge", hint="h"), 125)]
)
def test_one_that_could_not_be_started_is_stopped_and_says_why(kept, error, status):
    kept.instance.refuses_start = error
    remote = kept.remote
    with pytest.raises(type(error)) as caught:
        remote.start()
    assert caught.value.as_dict() == error.as_dict()
    record = kept.registry.find("web")  # released before the answer
    assert record.exit["exit_status"] == status
    assert record.exit["error"] == error.as_dict()
    assert kept.instance.calls == ["start", "delete"]
    assert remote.wait().exit_status == status


def test_a_defect_of_a_backend_in_start_leaves_nobody_waiting(kept):
    kept.instance.refuses_start = ZeroDivisionError()
    with pytest.raises(InstanceFailed, match="ZeroDivisionError"):
        kept.remote.start()
    kept.thread.join(60)
    assert kept.registry.find("web").exit["exit_status"] == 125


def test_one_that_cannot_be_released_is_left_to_gc(running, caplog):
    def fail():
        raise InstanceFailed("the mount is busy")

    running.instance._delete = fail
    assert running.remote.stop() == Exit(signal=signal.SIGTERM)
    assert running.registry.find("web").exit is None  # so that gc reclaims it, once the keeper has gone
    assert "isoscope gc will try again" in caplog.text


# exec


@pytest.fixture
def pipe():
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb") as writer:
        yield reader, writer


def test_exec_passes_descriptors_and_signals(running, pipe):
    reader, writer = pipe
    execution = running.remote.exec(("sleep", "1"), Stdio(stdout=writer.fileno()), terminal=True)
    assert reader.read1() == b"from the command"
    there = running.instance.executions[0]
    assert running.instance.calls[-1] == ("exec", ("sleep", "1"), True)
    assert there.stdio.stdin is None
    assert there.stdio.stderr is None
    execution.resize(24, 80)
    execution.kill(signal.SIGUSR2)
    assert execution.wait() == Exit(signal=signal.SIGUSR2)
    assert execution.wait() == Exit(signal=signal.SIGUSR2)
    assert there.sizes == [(24, 80)]
    execution.kill(signal.SIGKILL)  # one that has ended is left alone
    assert there.signals == [signal.SIGUSR2]


def test_descriptors_are_closed_once_the_command_has_ended(running, pipe):
    reader, writer = pipe
    execution = running.remote.exec(("sleep",), Stdio(stdout=writer.fileno()))
    writer.close()
    running.instance.executions[0].kill(9)
    execution.wait()
    assert reader.read() == b"from the command"  # and then its end, for nobody else holds the pipe


def test_a_command_whose_caller_dies_gets_a_hangup(running, pipe):
    _, writer = pipe
    execution = running.remote.exec(("sleep",), Stdio(stdout=writer.fileno()))
    there = running.instance.executions[0]
    execution.close()
    assert there.ended.wait(60)
    assert there.signals == [signal.SIGHUP]


def test_a_command_that_does_not_exist(running, pipe):
    with pytest.raises(CommandNotFound) as caught:
        running.remote.exec(("nosuch",), Stdio(stdout=pipe[1].fileno()))
    assert caught.value.command_status == 127


def test_a_deadline_for_a_command(running, pipe):
    execution = running.remote.exec(("sleep",), Stdio(stdout=pipe[1].fileno()))
    with pytest.raises(Timeout):
        execution.wait(0.01)
    running.instance.executions[0].kill(9)
    assert execution.wait(60) == Exit(signal=9)


# Who may ask, and who answers


def test_the_socket_is_the_users_alone(kept):
    assert kept.instance.record.socket.stat().st_mode & 0o777 == 0o600
    assert kept.instance.record.directory.stat().st_mode & 0o777 == 0o700


@pytest.mark.root
def test_another_user_is_not_answered_even_if_the_modes_let_him_through(kept, caplog):
    socket_path = kept.instance.record.socket
    for path in (socket_path, *list(socket_path.parents)[:3]):
        path.chmod(0o777)
    script = (
        "import os, socket, sys; os.setresuid(65534, 65534, 65534);"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "m = b'{\"operation\": \"state\"}'; s.sendall(len(m).to_bytes(4, 'big') + m); print(s.recv(1))"
    )
    done = subprocess.run([sys.executable, "-c", script, socket_path], capture_output=True, text=True)
    assert done.stdout in ("", "b''\n"), done.stderr  # hung up on, whenever he noticed
    assert "user 65534 may ask nothing here" in caplog.text
    assert kept.remote.state()["status"] == "created"


def test_an_unknown_operation_is_refused(kept):
    with pytest.raises(InputError, match="no operation 'fly'"):
        kept.remote._ask("fly")


def test_garbage_ends_nothing(kept):
    import socket

    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(kept.instance.record.socket))
        connection.sendall(b"\xff\xff\xff\xff")
        assert connection.recv(1) == b""
    assert kept.remote.state()["status"] == "created"


def test_a_signal_before_the_start_removes_the_instance(registry):
    kept = Kept(registry)
    kept.end()
    assert kept.instance.calls == ["delete"]
    assert list(registry) == []


def test_signals_and_sizes_reach_the_workload(running):
    running.keeper.resize(10, 20)
    running.keeper.signal(signal.SIGINT)
    running.thread.join(60)
    assert running.instance.calls[1:] == [("resize", 10, 20), ("kill", signal.SIGINT), "delete"]


def record_of(registry, pid):
    record = registry.create(name="other", variant="scripted", workload={}, image="sha256:0")
    owner = Owner.current()
    record.owner = Owner(pid, owner.start_time if pid == os.getpid() else 1, owner.boot_id)
    record.save()
    return RemoteInstance(registry, registry.find("other"))


def test_a_dead_keeper_is_told_from_one_that_takes_no_requests(registry):
    ended = subprocess.Popen(["true"])
    ended.wait()
    lost = record_of(registry, ended.pid)
    assert lost.state() == {"status": "lost"}
    with pytest.raises(Lost, match="cannot kill 'other': it is lost") as caught:
        lost.kill()
    assert "isoscope gc" in caught.value.hint
    lost.record.forget()
    held = record_of(registry, os.getpid())
    assert held.state() == {"status": "held"}
    with pytest.raises(Held, match=f"process {os.getpid()} holds it"):
        held.stop()


def test_a_keeper_that_does_not_answer_holds_up_no_listing(registry, monkeypatch):
    import socket

    monkeypatch.setattr("isoscope.core.remote.PATIENCE", 0.01)
    assert PATIENCE > 1
    remote = record_of(registry, os.getpid())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(remote.record.socket))
        listener.listen()
        assert remote.state() == {"status": "held"}


def test_what_has_been_removed_is_not_found(running):
    remote = running.remote
    running.remote.delete(force=True)
    with pytest.raises(NotFound):
        remote.state()


def test_the_log_outlives_the_instance(running):
    running.instance.saw_output("stdout", b"hello\n")
    running.remote.stop()
    assert list(read_log(running.registry.find("web").log)) == [("stdout", b"hello\n")]
