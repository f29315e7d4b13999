"""What the guest's init does, tried in one VM for all tests of this module, since each start takes seconds."""

from __future__ import annotations

import hashlib
import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from isoscope.backends.vm.instance import VmInstance
from isoscope.core import Exit, Lab, Resources, Workload
from isoscope.core.errors import InstanceFailed, WorkloadFailed
from isoscope.core.output import read_log
from isoscope.testing.channel import Channel

pytestmark = [pytest.mark.root, pytest.mark.vm]

PATIENCE = 120


@pytest.fixture(scope="module")
def instance(shared_home: Path) -> Iterator[VmInstance]:
    workload = Workload(
        command=("sh", "-c", "echo up; while :; do sleep 1000; done"),
        environment={"COLOUR": "blue", "<evil a'\">&": "]]></domain>"},
        resources=Resources(cpus=1.5, pids=60),
    )
    name = "guest.of-all_tests"
    with Lab(shared_home) as lab, lab.start(workload, "vm", name=name) as instance:
        instance.wait_ready(PATIENCE)
        assert isinstance(instance, VmInstance)
        yield instance


def run(instance: VmInstance, script: str, stdin: bytes | None = None, **terms) -> tuple[Exit, bytes, bytes]:
    with Channel(stdin, terminal=terms.get("terminal", False)) as channel:
        how = instance.exec(("sh", "-c", script), channel.stdio, **terms).wait(PATIENCE)
        return (how, *channel.finish())


def output(instance: VmInstance, script: str, **terms) -> str:
    how, out, errors = run(instance, script, **terms)
    assert (how, errors) == (Exit(code=0), b"")
    return out.decode()


def test_it_is_what_it_says_it_is(instance):
    proof = instance.proof()
    assert output(instance, "uname -r").strip() == proof["kernel"] != os.uname().release
    assert output(instance, "cat /proc/sys/kernel/random/boot_id").strip() == proof["boot_id"]
    assert proof["accelerator"] in ("kvm", "tcg")
    assert proof["machine"].startswith("pc-q35-")
    assert output(instance, "grep -c ^processor /proc/cpuinfo").strip() == "2" == proof["cpus"]


def test_names_and_variables_are_the_guests_alone(instance):
    assert output(instance, "hostname; cat /etc/hostname") == "guest.of-all_tests\n" * 2
    assert "127.0.0.1\tlocalhost\n" in output(instance, "cat /etc/hosts")
    with Channel() as channel:
        assert instance.exec(("env",), channel.stdio).wait(PATIENCE) == Exit(code=0)
        environment = channel.finish()[0].decode().splitlines()
    assert {"<evil a'\">&=]]></domain>", "COLOUR=blue", "HOME=/root"} <= set(environment)
    assert not any(line.startswith("TERM=") for line in environment)


def test_the_mounts_are_those_of_a_system(instance):
    mounts = {line.split()[1]: line.split()[2:] for line in output(instance, "cat /proc/mounts").splitlines()}
    assert {path: kind for path, (kind, *_) in mounts.items()} == {
        "/": "ext4",
        "/dev": "devtmpfs",
        "/dev/pts": "devpts",
        "/dev/shm": "tmpfs",
        "/proc": "proc",
        "/sys": "sysfs",
        "/sys/fs/cgroup": "cgroup2",
    }
    assert "nosuid" in mounts["/proc"][1]
    output(instance, "test -c /dev/null && test -w /tmp && echo x > /dev/shm/x && ls /dev/fd/0 && echo > /scratch")


def test_limits_hold_for_everything_that_runs(instance):
    assert output(instance, "cat /proc/self/cgroup") == "0::/workload\n"
    limits = output(instance, "cd /sys/fs/cgroup/workload; cat pids.max cpu.max cgroup.procs | head -2")
    assert limits == "60\n150000 100000\n"
    assert instance.stats().pids is not None
    assert 1 <= instance.stats().pids < 60


def test_ten_megabytes_come_out_intact_and_in_order(instance):
    script = "i=0; while [ $i -lt 160 ]; do dd if=/dev/urandom bs=65536 count=1 2>/dev/null; i=$((i+1)); done"
    how, out, errors = run(instance, f"({script}) | tee /dev/shm/data; sha256sum < /dev/shm/data >&2; rm /dev/shm/data")
    assert (how, len(out)) == (Exit(code=0), 160 * 65536)
    assert hashlib.sha256(out).hexdigest() == errors.split()[0].decode()


def test_commands_run_beside_each_other(instance):
    def one(number: int) -> str:
        return output(instance, f"read x; for i in 1 2 3 4 5; do echo {number} $x; sleep 0.1; done", stdin=b"line\n")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [f"{number} line\n" * 5 for number in range(8)]


def test_input_is_given_and_ends(instance):
    data = os.urandom(300_000)
    how, out, _ = run(instance, "sha256sum", stdin=data)
    assert (how, out.split()[0].decode()) == (Exit(code=0), hashlib.sha256(data).hexdigest())
    assert run(instance, "exec <&-; sleep 0.2; exit 3", stdin=data) == (Exit(code=3), b"", b""), "nobody reads it"
    assert output(instance, "readlink /proc/self/fd/0") == "/dev/null\n"


def test_what_a_command_leaves_behind_does_not_hold_it_up(instance):
    how, out, _ = run(instance, "(exec sleep 1000) & echo $!; exit 4")
    assert how == Exit(code=4)
    orphan = int(out)
    wait_until_reaped = f"while [ -e /proc/{orphan} ]; do sleep 0.05; done"
    output(instance, f"kill -KILL {orphan}; {wait_until_reaped}")


def test_ends_are_told_apart(instance):
    assert run(instance, "exit 255")[0] == Exit(code=255)
    assert run(instance, "kill -SEGV $$")[0] == Exit(signal=signal.SIGSEGV)
    assert run(instance, "kill -KILL $$")[0] == Exit(signal=signal.SIGKILL), "nobody was short of memory"
    execution = instance.exec(("sh", "-c", "trap 'exit 9' USR1; echo > /dev/shm/ready; while :; do sleep 0.1; done"))
    output(instance, "while ! [ -e /dev/shm/ready ]; do sleep 0.1; done; rm /dev/shm/ready")
    execution.kill(signal.SIGUSR1)
    assert execution.wait(PATIENCE) == Exit(code=9)


def test_want_of_memory_is_told(instance):
    how, _, _ = run(instance, "exec tail /dev/zero")
    assert how == Exit(signal=signal.SIGKILL, oom_killed=True)
    assert run(instance, "kill -KILL $$")[0] == Exit(signal=signal.SIGKILL), "that is over"


def test_a_terminal_has_a_size_that_can_change(instance):
    how, out, _ = run(instance, "tty; stty size; echo $TERM", terminal=True)
    assert how == Exit(code=0)
    assert out == b"/dev/pts/0\r\n24 80\r\nxterm\r\n"
    with Channel(terminal=True) as channel:
        script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.1; done"
        execution = instance.exec(("sh", "-c", script), channel.stdio, terminal=True)
        channel.read_until(b"ready", PATIENCE)
        execution.resize(50, 132)
        assert execution.wait(PATIENCE) == Exit(code=0)
        assert channel.finish()[0] == b"ready\r\n50 132\r\n"


def test_the_images_user_is_honoured(instance):
    output(instance, "echo 'bob:x:1000:1001:Bob:/home/bob:/bin/sh' >> /etc/passwd")
    output(instance, "printf 'crew:x:77:ann,bob\\nbobs:x:1001:\\n' >> /etc/group")
    before = instance.launch
    show = "id -u; id -g; id -G; echo $HOME"
    wanted = {
        "bob": "1000\n1001\n1001 77\n/home/bob\n",
        "bob:crew": "1000\n77\n77\n/home/bob\n",
        "1000": "1000\n1001\n1001\n/home/bob\n",
        "4711": "4711\n0\n0\n/\n",
        "4711:4712": "4711\n4712\n4712\n/\n",
        "": "0\n0\n0\n/root\n",
    }
    try:
        for user, expected in wanted.items():
            instance.launch = replace(before, rootfs=replace(before.rootfs, user=user))
            assert output(instance, show) == expected, user
        instance.launch = replace(before, rootfs=replace(before.rootfs, user="nobody-of-that-name"))
        with pytest.raises(WorkloadFailed, match="nobody-of-that-name"):
            instance.exec(("true",))
    finally:
        instance.launch = before


def test_a_working_directory_is_made_when_it_is_missing(instance):
    before = instance.launch
    try:
        instance.launch = replace(before, workload=replace(before.workload, working_directory="/made/on/demand"))
        assert output(instance, "pwd") == "/made/on/demand\n"
        instance.launch = replace(before, workload=replace(before.workload, working_directory="/etc/passwd/x"))
        with pytest.raises(WorkloadFailed, match="/etc/passwd/x"):
            instance.exec(("true",))
    finally:
        instance.launch = before


@pytest.mark.parametrize(
    ("command", "status"),
    [("/no/such", 127), ("", 127), ("/etc/passwd", 126), ("/etc", 126), ("/scratch-script", 126)],
)
def test_what_cannot_be_executed_is_told_why(instance, command, status):
    output(instance, "echo 'echo no shebang' > /scratch-script; chmod +x /scratch-script")
    with pytest.raises(WorkloadFailed) as raised:
        instance.exec((command,))
    assert raised.value.command_status == status


def test_long_command_lines_fit(instance):
    arguments = tuple(f"{i}" * 100 for i in range(1000, 3000))
    with Channel() as channel:
        how = instance.exec(("sh", "-c", 'echo $#; echo "${2000}" | wc -c', "sh", *arguments), channel.stdio).wait(
            PATIENCE
        )
        assert how == Exit(code=0)
        assert channel.finish() == (b"2000\n401\n", b"")


def test_as_many_as_there_is_room_for(instance):
    executions = []

    def start() -> None:
        executions.append(instance.exec(("sleep", "1000")))

    for _ in range(50):
        start()
    with pytest.raises(InstanceFailed, match="fork: Resource temporarily unavailable"):  # sixty tasks were granted
        deque(iter(start, 0), maxlen=0)
    assert 50 < len(executions) < 60
    for execution in executions:
        execution.kill(signal.SIGKILL)
    assert {execution.wait(PATIENCE) for execution in executions} == {Exit(signal=signal.SIGKILL)}


def test_its_own_output_was_logged(instance):
    assert next(read_log(instance.record.log)) == ("stdout", b"up\n")
