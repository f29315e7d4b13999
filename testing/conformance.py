"""The suite that every backend passes, ours and strangers'.

In a test module:

    from isoscope.testing.conformance import BackendConformance

    class TestMine(BackendConformance):
        backend = "mine"

It needs the fixture `lab` of `isoscope.testing.fixtures` (or one of your own: an `isoscope.core.Lab` that knows the
backend), and an image with a shell and the usual small programs; `base` is one. What a backend declares in its
capabilities is tried out, and what it does not declare has to be refused before anything is made. After each test, the
host must be as it was before it.

Slow backends can afford it: the whole suite starts about fifteen instances.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any, ClassVar

import pytest
from isoscope.core import Capabilities, Exit, Instance, Lab, Mount, Network, Resources, Status, Variant, Workload
from isoscope.core.errors import (
    CommandNotExecutable,
    CommandNotFound,
    InputError,
    InstanceFailed,
    NotFound,
    StateError,
    Timeout,
    Unsupported,
)
from isoscope.core.instance import Execution
from isoscope.core.output import Stdio, read_log
from isoscope.core.registry import process_start_time
from isoscope.testing.channel import Channel
from isoscope.testing.host import HostWatch

BOTH_STREAMS = "echo out; echo err >&2; uname -r; echo scratch > /isoscope-scratch; exit 3"
SHOW_ARGUMENTS = 'printf "%s\\0" "$ODD" "${EMPTY-unset}" "$PWD" "$PATH" "$@"'
ENDLESS_LINES = "echo up; while :; do sleep 1000; done"
COUNT_UNTIL_TERM = 'trap "echo bye; exit 7" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done'
DEAF = 'trap "" TERM; echo up; while :; do sleep 1000; done'
EXECUTED = 'echo "inside $ODD"; echo trouble >&2; exit 5'
FORK_MANY = "i=0; while [ $i -lt 64 ]; do sleep 1000 & i=$((i+1)); done; echo forked all"
USE_MOUNTS = (
    "cat '/in/read write/greeting' /in/read-only/greeting /in/file; echo new > '/in/read write/new'; "
    "echo new > /in/read-only/new || echo refused"
)
IS_TERMINAL = "test -t 0 && test -t 1 && test -t 2 && echo terminal"
SHOW_DEVICES = "cat /proc/net/dev"
SHOW_NAMESPACE = "readlink /proc/self/ns/net"
REACH_GATEWAY = (
    "gateway=$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'); "
    'ping -c 1 -W 10 "$gateway" >/dev/null && echo "reached $gateway"; cat /etc/resolv.conf'
)

#: Arguments that a shell, a command line in a text file or a careless protocol would not let through unharmed.
ODD_ARGUMENTS = (
    "",
    " a  b ",
    "'\"$HOME`id`$(id)",
    "line\nbreak\ttab\r",
    "ü€𝄞",
    "\udcff\udc80",
    "*",
    "-n",
    "--",
    "%s\\n",
    "x" * 5000,
)
ODD_VALUE = "a=b\n'\"$HOME \udcfe ü"


class LifecycleConformance:
    """What holds for every backend, even one that runs nothing."""

    backend: ClassVar[str]  #: a variant, as after `-b`
    image: ClassVar[str] = "base"
    patience: ClassVar[float] = 120  #: seconds within which anything at all must have happened
    unicode_only: ClassVar[bool] = False  #: whether it says no to arguments that are no text, as those who pass on JSON

    @pytest.fixture(autouse=True)
    def _host_is_as_before(self, lab: Lab) -> Iterator[None]:
        with host_as_before(lab):
            yield

    def capabilities(self, lab: Lab) -> Capabilities:
        """What the variant declares."""
        return lab.capabilities(Variant.parse(self.backend))

    def workload(self, command: Sequence[str], **terms: Any) -> Workload:
        """A workload on the suite's image."""
        return Workload(image=self.image, command=tuple(command), **terms)

    @contextmanager
    def made(
        self, lab: Lab, command: Sequence[str], channel: Channel | None = None, **terms: Any
    ) -> Iterator[Instance]:
        """An instance that is ready to start, and is deleted in the end."""
        stdio = channel.stdio if channel else None
        with lab.create(self.workload(command, **terms), self.backend, stdio=stdio) as instance:
            yield instance

    def ended(self, instance: Instance) -> Exit:
        """Start an instance and wait for its end."""
        instance.start()
        return instance.wait(self.patience)

    # Tests

    def test_a_silent_command_is_ready_at_its_end(self, lab: Lab) -> None:
        with self.made(lab, ["true"]) as instance:
            assert self.ended(instance) == Exit(code=0)
            instance.wait_ready(self.patience)
            moments = instance.timeline.moments
            assert moments["ready"] == moments["exit"]
            check_phases(instance)
            instance.delete(keep_record=True)
            assert lab.registry.find(instance.record.id).log.exists(), "the log was to be kept"
            instance.record.forget()

    def test_what_was_never_started_can_be_deleted(self, lab: Lab) -> None:
        with self.made(lab, ["true"]) as instance:
            expect(instance, Status.CREATED)
            refuses(instance, "wait", "wait_ready", "kill", "pause", "resume", "stats", "exec")
            instance.delete()
            instance.delete()
            expect(instance, Status.DELETED)
            refuses(instance, "start", "wait", "kill", "exec")
            with pytest.raises(NotFound):
                lab.registry.find(instance.record.id)

    def test_a_name_is_free_again_after_delete(self, lab: Lab) -> None:
        for _ in range(2):
            lab.create(self.workload(["true"]), self.backend, name="once-more").delete()

    def test_what_is_not_declared_is_refused_before_anything_is_made(self, lab: Lab, tmp_path: Path) -> None:
        declared = self.capabilities(lab)
        requests: list[dict[str, Any]] = [{"network": network} for network in set(Network) - declared.networks]
        limits = {"cpus": 1.0, "memory": 256 << 20, "pids": 64}
        requests += [{"resources": Resources(**{name: limits[name]})} for name in set(limits) - declared.limits]  # type: ignore[arg-type]
        if not declared.mounts:
            requests.append({"mounts": (Mount(tmp_path, PurePosixPath("/in")),)})
        if not declared.terminal:
            requests.append({"terminal": True})
        with HostWatch(lab.home) as watch:
            for terms in requests:
                with pytest.raises(Unsupported):
                    lab.create(self.workload(["true"], **terms), self.backend)
            with pytest.raises(InputError):
                lab.create(self.workload(["true"]), f"{Variant.parse(self.backend).backend}:no-such-option=1")
            check_host(watch)

    def test_a_plan_makes_nothing(self, lab: Lab) -> None:
        with HostWatch(lab.home) as watch:
            steps = lab.plan(self.workload(["true"]), self.backend)
            assert all(step.phase and step.text for step in steps)
            lab.close()  # helpers that a backend keeps between instances may have been started
            check_host(watch)

    def test_reclaim_of_what_is_gone_is_no_error(self, lab: Lab) -> None:
        with self.made(lab, ["true"]) as instance:
            self.ended(instance)
            instance.delete(keep_record=True)
            backend = lab.backend(Variant.parse(self.backend).backend)
            backend.reclaim(instance.record)
            backend.reclaim(instance.record)
            instance.record.forget()


class BackendConformance(LifecycleConformance):
    """What holds for every backend that runs the image's commands."""

    memory: ClassVar[int] = 128 << 20  #: bytes: the limit under which the memory test runs

    def shell(self, script: str, *arguments: str) -> tuple[str, ...]:
        """A command that runs a script of the image's shell."""
        return ("sh", "-c", script, "sh", *arguments) if arguments else ("sh", "-c", script)

    @property
    def odd_value(self) -> str:
        """A variable's value that is not easily passed on."""
        return ODD_VALUE.replace("\udcfe", "") if self.unicode_only else ODD_VALUE

    def run(self, lab: Lab, script: str, *arguments: str, **terms: Any) -> tuple[Exit, bytes, bytes]:
        """Run a script to its end: how it ended, its output and its errors."""
        with Channel(terminal=terms.get("terminal", False)) as channel:
            with self.made(lab, self.shell(script, *arguments), channel, **terms) as instance:
                how = self.ended(instance)
            return (how, *channel.finish())

    @contextmanager
    def running(self, lab: Lab, script: str, **terms: Any) -> Iterator[tuple[Instance, Channel]]:
        """An instance that has shown its first line."""
        with Channel() as channel, self.made(lab, self.shell(script), channel, **terms) as instance:
            instance.start()
            instance.wait_ready(self.patience)
            channel.read_until(b"\n", self.patience)
            yield instance, channel

    # The tests, one instance each unless it says otherwise

    def test_a_life_from_create_to_delete(self, lab: Lab) -> None:
        with Channel() as channel, self.made(lab, self.shell(BOTH_STREAMS), channel) as instance:
            refuses(instance, "wait", "wait_ready", "kill", "pause", "resume", "stats", "exec")
            assert self.ended(instance) == Exit(code=3)
            expect(instance, Status.STOPPED)
            refuses(instance, "start", "kill", "pause", "resume", "stats", "exec")
            assert instance.wait() == instance.stop() == Exit(code=3)
            check_phases(instance)
            moments = instance.timeline.moments
            assert moments["start"] < moments["ready"] <= moments["exit"]
            self.check_proof(lab, instance, release=logged(instance, "stdout").split()[1].decode())
            logs = logged(instance, "stdout"), logged(instance, "stderr")
            assert logs[0].startswith(b"out\n")
            assert logs[1] == b"err\n"
            for layer in lab.images.rootfs(self.image).layers:
                assert not (layer / "isoscope-scratch").exists(), "the workload wrote into the image"
            instance.delete()
            assert channel.finish() == logs, "what the caller's descriptors got is what the log holds"
            assert not instance.record.directory.exists()

    def check_proof(self, lab: Lab, instance: Instance, release: str) -> None:
        """What the instance says of itself agrees with what its workload saw."""
        proof = instance.proof()
        assert all(isinstance(value, str) and value for value in proof.values()), proof
        assert proof["kernel"] == release
        if self.capabilities(lab).own_kernel:
            assert proof["accelerator"]
        else:
            assert release == os.uname().release

    def test_arguments_and_variables_arrive_unharmed(self, lab: Lab) -> None:
        arguments_in = [text for text in ODD_ARGUMENTS if not (self.unicode_only and is_bytes(text))]
        environment = {"ODD": self.odd_value, "EMPTY": ""}
        how, output, errors = self.run(
            lab, SHOW_ARGUMENTS, *arguments_in, environment=environment, working_directory="/proc"
        )
        assert (how, errors) == (Exit(code=0), b"")
        odd, empty, directory, path, *arguments = output.decode("utf-8", "surrogateescape").split("\0")[:-1]
        assert (odd, empty, directory) == (self.odd_value, "", "/proc")
        assert "/bin" in path.split(":")
        assert arguments == arguments_in
        with pytest.raises(InputError):
            self.workload(["printf", "a\0b"])
        if self.unicode_only:
            for terms in ({"command": ["printf", ODD_VALUE]}, {"command": ["true"], "environment": {"ODD": ODD_VALUE}}):
                with pytest.raises(Unsupported):
                    lab.create(self.workload(**terms), self.backend)

    def test_a_mebibyte_goes_in_and_comes_out_intact(self, lab: Lab) -> None:
        data = bytes(range(256)) * 4096
        with Channel(stdin=data) as channel, self.made(lab, ["cat"], channel) as instance:
            assert self.ended(instance) == Exit(code=0)
            assert channel.finish() == (data, b"")
            assert logged(instance, "stdout") == data

    @pytest.mark.parametrize(
        ("command", "error", "status"),
        [("isoscope-no-such-command", CommandNotFound, 127), ("/", CommandNotExecutable, 126)],
        ids=["not found", "not executable"],
    )
    def test_a_command_that_cannot_run(
        self, lab: Lab, command: str, error: type[CommandNotFound | CommandNotExecutable], status: int
    ) -> None:
        with self.made(lab, [command]) as instance:
            with pytest.raises(error) as raised:
                instance.start()
            assert raised.value.command_status == status
            expect(instance, Status.STOPPED)
            with pytest.raises(InstanceFailed):
                instance.wait(self.patience)
            refuses(instance, "start", "kill", "exec")

    def test_a_long_life(self, lab: Lab) -> None:
        """Everything that can be done with one running instance, so that a slow backend starts only one."""
        declared = self.capabilities(lab)
        with self.running(lab, COUNT_UNTIL_TERM, environment={"ODD": self.odd_value}) as (instance, channel):
            with pytest.raises(Timeout):
                instance.wait(0.01)
            refuses(instance, "start", "resume")
            (self.check_exec if declared.exec else lacks_exec)(instance)
            (self.check_pause if declared.pause else lacks_pause)(instance, channel)
            (check_stats if declared.stats else lacks_stats)(instance)
            check_processes(instance)
            instance.kill(signal.SIGTERM)
            assert instance.wait(self.patience) == Exit(code=7)
            assert instance.processes() == ()
            assert channel.finish()[0].endswith(b"bye\n")

    def check_exec(self, instance: Instance) -> None:
        """Second commands run beside the first, with its environment and streams of their own."""

        def execute(*command: str, stdin: bytes | None = None) -> tuple[Exit, bytes, bytes]:
            with Channel(stdin) as channel:
                how = instance.exec(command, channel.stdio).wait(self.patience)
                return (how, *channel.finish())

        assert execute("sh", "-c", EXECUTED) == (
            Exit(code=5),
            f"inside {self.odd_value}\n".encode("utf-8", "surrogateescape"),
            b"trouble\n",
        )
        data = bytes(range(256)) * 512
        assert execute("cat", stdin=data) == (Exit(code=0), data, b"")
        assert instance.exec(("true",)).wait(self.patience) == Exit(code=0)
        with pytest.raises(CommandNotFound):
            instance.exec(("isoscope-no-such-command",))
        with pytest.raises(CommandNotExecutable):
            instance.exec(("/",))
        self.check_kill_of(instance.exec(("sleep", "1000")))
        expect(instance, Status.RUNNING)

    def check_kill_of(self, execution: Execution) -> None:
        """A second command can be killed alone."""
        with pytest.raises(Timeout):
            execution.wait(0.01)
        execution.kill(signal.SIGKILL)
        assert execution.wait(self.patience) == Exit(signal=signal.SIGKILL)
        execution.kill(signal.SIGKILL)

    def check_pause(self, instance: Instance, channel: Channel) -> None:
        """The count stops, and goes on."""
        instance.pause()
        expect(instance, Status.PAUSED)
        refuses(instance, "pause", "start", "exec")
        deadline = monotonic() + 5
        while channel.grows(0.2) and monotonic() < deadline:
            pass  # what was on its way still arrives
        assert not channel.grows(0.5), "the workload goes on although it is paused"
        instance.resume()
        expect(instance, Status.RUNNING)
        assert channel.grows(self.patience), "the workload does not go on after resume"

    def test_stop_ends_even_the_deaf(self, lab: Lab) -> None:
        with self.running(lab, DEAF) as (instance, _):
            assert instance.stop(0.2) == Exit(signal=signal.SIGKILL)
            expect(instance, Status.STOPPED)

    def test_two_at_once_one_is_deleted_while_it_runs(self, lab: Lab) -> None:
        """Two instances."""
        with self.running(lab, ENDLESS_LINES) as (one, _), self.running(lab, ENDLESS_LINES) as (other, _):
            assert one.record.id != other.record.id
            one.delete()
            expect(one, Status.DELETED)
            expect(other, Status.RUNNING)
            with pytest.raises(Timeout):
                other.wait(0.05)
            other.kill(signal.SIGKILL)
            assert other.wait(self.patience) == Exit(signal=signal.SIGKILL)

    def test_no_more_memory_than_was_granted(self, lab: Lab) -> None:
        if "memory" not in self.capabilities(lab).limits:
            return  # and so it is refused: see the test of what is not declared
        with self.made(lab, ["tail", "/dev/zero"], resources=Resources(memory=self.memory)) as instance:
            how = self.ended(instance)
        assert how.oom_killed
        assert how.signal == signal.SIGKILL

    def test_no_more_tasks_than_were_granted(self, lab: Lab) -> None:
        if "pids" not in self.capabilities(lab).limits:
            return
        how, output, errors = self.run(lab, FORK_MANY, resources=Resources(pids=24))
        assert how.code != 0
        assert b"forked all" not in output
        assert b"fork" in errors, "it was something else that failed"

    def test_host_directories_are_shown_inside(self, lab: Lab, tmp_path: Path) -> None:
        if not self.capabilities(lab).mounts:
            return
        for name in ("read write,=é", "read-only"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "greeting").write_text(f"{name}\n")
        (tmp_path / "file").write_text("one file\n")
        mounts = (
            Mount(tmp_path / "read write,=é", PurePosixPath("/in/read write")),
            Mount(tmp_path / "read-only", PurePosixPath("/in/read-only"), read_only=True),
            Mount(tmp_path / "file", PurePosixPath("/in/file")),
        )
        _, output, _ = self.run(lab, USE_MOUNTS, mounts=mounts)
        assert output.decode() == "read write,=é\nread-only\none file\nrefused\n"
        assert (tmp_path / "read write,=é" / "new").read_text() == "new\n"
        assert not (tmp_path / "read-only" / "new").exists()

    def test_a_terminal(self, lab: Lab) -> None:
        if not self.capabilities(lab).terminal:
            return
        how, output, _ = self.run(lab, IS_TERMINAL, terminal=True)
        assert (how, output) == (Exit(code=0), b"terminal\r\n")

    def test_network_none_is_a_loopback_device_alone(self, lab: Lab) -> None:
        if Network.NONE not in self.capabilities(lab).networks:
            return
        with Channel() as channel, self.made(lab, self.shell(SHOW_DEVICES), channel) as instance:
            assert self.ended(instance) == Exit(code=0)
            proof = instance.proof()
            devices = devices_in(channel.finish()[0])
        # A backend that isolates nothing may take a workload that asks for nothing, if it owns up to it.
        assert devices == ["lo"] or proof.get("network") == "host", devices

    def test_network_host_is_the_hosts(self, lab: Lab) -> None:
        if Network.HOST not in self.capabilities(lab).networks:
            return
        if self.capabilities(lab).own_kernel:  # which numbers its namespaces by itself
            _, output, _ = self.run(lab, SHOW_DEVICES, network=Network.HOST)
            assert devices_in(output) == devices_in(Path("/proc/net/dev").read_bytes())
            return
        _, output, _ = self.run(lab, SHOW_NAMESPACE, network=Network.HOST)
        assert output.decode().strip() == os.readlink("/proc/self/ns/net")

    def test_network_bridge_leads_to_the_host(self, lab: Lab) -> None:
        if Network.BRIDGE not in self.capabilities(lab).networks:
            return
        how, output, errors = self.run(lab, REACH_GATEWAY, network=Network.BRIDGE)
        assert (how, errors) == (Exit(code=0), b"")
        first, *resolver = output.decode().splitlines()
        assert first.startswith("reached ")
        assert all(line.startswith(("nameserver ", "search ")) for line in resolver), resolver

    def test_a_sigkill_of_the_owner_leaves_nothing_that_gc_does_not_remove(self, lab: Lab) -> None:
        """Two instances, of which one is started."""
        command = [sys.executable, "-m", "isoscope.testing.victim", str(lab.home), self.backend, self.image]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
            assert victim.stdout is not None
            try:
                names = victim.stdout.readline().split()
                assert len(names) == 2, "it failed; see above"
                lines = lab.gc()
                assert not [line for line in lines if any(name in line for name in names)], lines
                assert {record.id for record in lab.registry} == set(names)
            finally:
                victim.kill()
        lines = lab.gc()
        assert {line.split()[2] for line in lines if line.startswith("removed instance")} == set(names), lines
        assert list(lab.registry) == []


def is_bytes(text: str) -> bool:
    """Whether a text stands for bytes that are not UTF-8 (PEP 383)."""
    return any("\udc80" <= letter <= "\udcff" for letter in text)


def devices_in(table: bytes) -> list[str]:
    """The names in /proc/net/dev, proc_pid_net(5)."""
    return sorted(line.partition(":")[0].strip() for line in table.decode().splitlines()[2:])


@contextmanager
def host_as_before(lab: Lab) -> Iterator[None]:
    """Nothing is left of the instances made meanwhile, once what they share has been swept."""
    with HostWatch(lab.home) as watch:
        yield
        lab.gc()
        lab.close()
        check_host(watch)


def check_host(watch: HostWatch) -> None:
    """The host is as it was when the watch began."""
    difference = watch.difference()
    assert not difference, "the host is not as before:\n" + "\n".join(difference)


def refuses(instance: Instance, *verbs: str) -> None:
    """Each verb raises StateError, and the state stays."""
    before = instance.status
    arguments: dict[str, tuple[Any, ...]] = {"exec": (("true",), Stdio()), "wait": (5,), "wait_ready": (5,)}
    for verb in verbs:
        try:
            getattr(instance, verb)(*arguments.get(verb, ()))
        except StateError:
            expect(instance, before)
        else:
            pytest.fail(f"{verb} is not refused in state {before}", pytrace=False)


def expect(instance: Instance, status: Status) -> None:
    """The instance is in a state."""
    assert instance.status is status, f"it is {instance.status}, not {status}"


def check_phases(instance: Instance) -> None:
    """The phases that were seen stand in their order, and their sum is the span from start to ready, exactly."""
    phases = instance.timeline.phases()
    assert sum(phases.values()) == instance.timeline.span("start", "ready")
    assert list(phases) == [name for name in instance.phases if name in phases]
    assert list(phases)[-1] == "ready"
    assert all(span >= 0 for span in phases.values()), phases


def check_stats(instance: Instance) -> None:
    """Figures, none of them nonsense."""
    stats = instance.stats()
    assert stats.cpu_ns is None or stats.cpu_ns > 0
    assert stats.memory is None or stats.memory > 0
    assert stats.memory_peak is None or stats.memory_peak >= (stats.memory or 0) // 2
    assert stats.pids is None or stats.pids >= 1
    assert (stats.cpu_ns, stats.memory) != (None, None)


def check_processes(instance: Instance) -> None:
    """The host's processes of an instance run, each is named once, and ours is none of them."""
    try:
        found = instance.processes()
    except Unsupported:  # it may be somebody else's to know
        return
    assert found
    assert len(set(found)) == len(found)
    assert os.getpid() not in found
    assert [pid for pid in found if process_start_time(pid) is None] == []


def lacks_exec(instance: Instance) -> None:
    """What is not declared is refused."""
    with pytest.raises(Unsupported):
        instance.exec(("true",))


def lacks_pause(instance: Instance, _: Channel) -> None:
    """What is not declared is refused, and the instance goes on."""
    with pytest.raises(Unsupported):
        instance.pause()
    expect(instance, Status.RUNNING)


def lacks_stats(instance: Instance) -> None:
    """What is not declared is refused."""
    with pytest.raises(Unsupported):
        instance.stats()


def logged(instance: Instance, stream: str) -> bytes:
    """What the instance's log holds of one stream."""
    return b"".join(data for name, data in read_log(instance.record.log) if name == stream)
