"""The helper process: what it survives, and what it does not outlive."""

from __future__ import annotations

import fcntl
import gc
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from isoscope.backends.launcher.client import Launcher, Request
from isoscope.backends.launcher.process import ChangeRoot, Clone, Execute, Finish, StandardStreams
from isoscope.core.errors import CommandNotFound, HostError, InstanceFailed

STEPS = "isoscope.backends.launcher.process"


@pytest.fixture
def launcher():
    made = Launcher(STEPS)
    yield made
    made.close()


def finish(launcher: Launcher) -> int:
    started = launcher.launch(Request(Clone(), [("exec", [Finish()])], ("x",)), {})
    status = os.waitid(os.P_PIDFD, started.pidfd, os.WEXITED).si_status
    os.close(started.pidfd)
    return status


def run(launcher: Launcher, *command: str, environment: dict[str, str] | None = None) -> tuple[int, bytes]:
    reader, writer = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    steps = [StandardStreams(), Execute(command, {"PATH": "/bin:/usr/bin", **(environment or {})})]
    try:
        request = Request(Clone(), [("exec", steps)], command)
        started = launcher.launch(request, {"stdin": null, "stdout": writer, "stderr": null})
    finally:
        os.close(writer)
        os.close(null)
    output = b""
    while piece := os.read(reader, 65536):
        output += piece
    os.close(reader)
    ended = os.waitid(os.P_PIDFD, started.pidfd, os.WEXITED)
    os.close(started.pidfd)
    return ended.si_status, output


def test_the_process_is_a_child_of_ours(launcher):
    status, output = run(launcher, "sh", "-c", "echo $PPID; exit 3")
    assert (status, int(output)) == (3, os.getpid())


def test_a_request_larger_than_a_sockets_buffer(launcher):
    big = {f"V{number}": "x" * 100_000 for number in range(12)}
    status, output = run(launcher, "sh", "-c", "echo ${#V11}", environment=big)
    assert (status, output) == (0, b"100000\n")


def children() -> list[str]:
    return Path("/proc/thread-self/children").read_text().split()


def zombies() -> set[str]:
    """Other tests in this process may have left some."""
    return {pid for pid in children() if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"}


def test_what_cannot_be_executed_leaves_no_process_and_no_descriptor(launcher):
    finish(launcher)
    gc.collect()
    before, dead = os.listdir("/proc/self/fd"), zombies()
    for _ in range(3):
        with pytest.raises(CommandNotFound):
            launcher.launch(Request(Clone(), [("exec", [Execute(("nothing",), {})])], ("nothing",)), {})
    assert os.listdir("/proc/self/fd") == before
    assert str(launcher.pid) in children()
    assert zombies() <= dead


def test_a_failed_step_is_named(launcher):
    with pytest.raises(InstanceFailed, match=r"phase exec, step 'chroot /no/such, chdir /': .*ENOENT"):
        launcher.launch(Request(Clone(), [("exec", [ChangeRoot("/no/such"), Finish()])], ("x",)), {})


def test_a_clone_that_the_kernel_refuses(launcher):
    with open(os.devnull) as no_cgroup, pytest.raises(InstanceFailed, match="phase clone"):
        launcher.launch(Request(Clone(cgroup=True), [("exec", [Finish()])], ("x",)), {"cgroup": no_cgroup.fileno()})
    assert finish(launcher) == 0


def test_the_helper_is_started_anew_when_it_was_killed(launcher):
    assert finish(launcher) == 0
    os.kill(launcher.pid, signal.SIGKILL)
    os.waitid(os.P_PID, launcher.pid, os.WEXITED | os.WNOWAIT)
    assert finish(launcher) == 0


def test_a_helper_that_dies_while_it_is_asked_is_an_error_worth_a_retry(launcher):
    launcher.spawn()
    os.kill(launcher.pid, signal.SIGSTOP)
    threading.Timer(0.2, os.kill, (launcher.pid, signal.SIGKILL)).start()
    with pytest.raises(HostError) as raised:
        finish(launcher)
    assert raised.value.transient
    assert finish(launcher) == 0


def test_closing_ends_the_helper_and_is_idempotent():
    launcher = Launcher(STEPS)
    launcher.spawn()
    pid = launcher.pid
    launcher.close()
    launcher.close()
    assert not Path(f"/proc/{pid}").exists()


def test_the_helper_ends_when_its_owner_is_killed():
    script = (
        "import os, sys; from isoscope.backends.launcher.client import Launcher; "
        f"launcher = Launcher({STEPS!r}); launcher.spawn(); print(launcher.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False)
    try:
        pidfd = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(30_000)
    os.close(pidfd)


def test_the_helper_imports_next_to_nothing(launcher):
    """Every import makes it larger, and every start slower."""
    launcher.spawn()
    maps = Path(f"/proc/{launcher.pid}/maps").read_text()
    loaded = {line.rsplit("/", 1)[-1].split(".")[0] for line in maps.splitlines() if ".so" in line}
    assert not loaded & {"_ssl", "_hashlib", "_json", "_decimal", "libvirtmod", "_struct", "_datetime"}
    anonymous = next(
        int(line.split()[1])
        for line in Path(f"/proc/{launcher.pid}/status").read_text().splitlines()
        if "RssAnon" in line
    )
    assert anonymous < 6000  # KiB


def test_the_helpers_program_is_a_copy_that_nobody_can_write_to(launcher):
    launcher.spawn()
    program = f"/proc/{launcher.pid}/exe"
    assert os.readlink(program).startswith("/memfd:isoscope")
    with open(program, "rb") as copy:
        seals = fcntl.fcntl(copy, fcntl.F_GET_SEALS)
        assert seals & fcntl.F_SEAL_WRITE
        assert seals & fcntl.F_SEAL_SEAL
        assert copy.read() == Path(sys.executable).read_bytes()


def test_the_helper_is_out_of_the_reach_of_a_ctrl_c(launcher):
    launcher.spawn()
    assert os.getsid(launcher.pid) == launcher.pid
