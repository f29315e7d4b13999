"""The life of instances by hand: real processes of the command line, real containers, and virtual machines."""

import json
import os
import signal
import subprocess

import pytest

from .conftest import done, isoscope, listed, refused, start, status

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("stocked_home")]

#: A workload that says when it is there, and ends with 7 when asked to.
OBEDIENT = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 1000 & wait $!; done")

#: One that ignores what can be ignored.
STUBBORN = ("sh", "-c", "trap '' TERM INT HUP QUIT; echo ready; while :; do sleep 1000; done")


def detach(*arguments: str) -> str:
    return done("run", "-d", *arguments).strip()


def stopped(name: str) -> int:
    """Wait for the end of an instance, remove it, and return how it ended."""
    end = int(done("wait", name))
    done("rm", name)
    return end


# In the foreground


@pytest.mark.parametrize("command", [(), ("--",)])
def test_run_ends_with_the_workloads_status_and_output(command):
    ended = isoscope("run", "--rm", *command, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "out\n", "err\n")
    assert listed("ps", "-a") == []


def test_a_command_that_was_killed():
    # Not the first process: PID 1 of a namespace does not kill itself.
    assert isoscope("run", "--rm", "--", "sh", "-c", "sh -c 'kill -KILL $$'; exit $?").returncode == 137


def test_standard_input_is_the_callers():
    ended = isoscope("run", "--rm", "--", "sed", "s/a/b/", input="banana\nx\0y", stdin=None)
    assert ended.stdout == "bbnana\nx\0y"


def test_output_of_any_size_and_kind_arrives_and_is_logged():
    ended = isoscope("run", "--name", "big", "--", "head", "-c", "3000000", "/dev/zero", text=False)
    assert ended.stdout == bytes(3_000_000)
    assert isoscope("logs", "big", text=False).stdout == bytes(3_000_000)
    done("rm", "big")


def test_a_reader_who_has_gone_does_not_end_the_workload():
    read, write = os.pipe()
    with start(
        "run", "--name", "chatty", "--", "sh", "-c", "echo one; read go; echo two", stdin=-1, stdout=write
    ) as run:
        os.close(write)
        assert os.read(read, 100) == b"one\n"
        os.close(read)
        _, complaint = run.communicate("go\n", timeout=60)
    assert (run.returncode, complaint) == (0, "")
    assert done("logs", "chatty") == "one\ntwo\n"
    done("rm", "chatty")


def test_environment_directory_and_mounts(tmp_path):
    (tmp_path / "file").write_text("shown\n")
    script = 'echo "$COLOUR $PWD"; cat /data/file; touch /data/new 2>/dev/null || echo read-only'
    options = ("-e", "COLOUR=blue=green", "-w", "/tmp", "-v", f"{tmp_path}:/data:ro")
    assert done("run", "--rm", *options, "--", "sh", "-c", script) == "blue=green /tmp\nshown\nread-only\n"
    done("run", "--rm", "-v", f"{tmp_path}:/data", "--", "touch", "/data/new")
    assert (tmp_path / "new").exists()


def test_without_rm_the_record_and_log_stay():
    assert isoscope("run", "--name", "web", "--", "sh", "-c", "echo hello; exit 4").returncode == 4
    assert listed("ps") == []
    [row] = listed("ps", "-a")
    assert (row["name"], row["status"], row["exit"]["exit_status"]) == ("web", "stopped", 4)
    assert done("logs", "web") == "hello\n"
    assert done("logs", "-f", row["id"][:5]) == "hello\n"
    assert "stopped (4)" in done("ps", "-a")
    refused(isoscope("run", "--name", "web", "--", "true"), 2)
    assert done("rm", "web") == "web\n"
    assert listed("ps", "-a") == []


def test_a_foreground_instance_is_served_to_other_terminals():
    with start("run", "--rm", "--name", "web", "--", *OBEDIENT) as run:
        assert run.stdout.readline() == "ready\n"
        assert status("web") == "running"
        assert done("exec", "web", "--", "echo", "inside") == "inside\n"
        assert done("kill", "-s", "sigterm", "web") == "web\n"
        assert run.wait(60) == 7
    assert status("web") == "none"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_the_workloads(number):
    script = f"trap 'echo caught; exit 9' {number}; echo ready; while :; do sleep 1000 & wait $!; done"
    with start("run", "--rm", "--", "sh", "-c", script) as run:
        assert run.stdout.readline() == "ready\n"
        run.send_signal(number)
        assert run.communicate(timeout=60) == ("caught\n", "")
    assert run.returncode == 9


def test_the_second_signal_ends_what_ignores_it():
    with start("run", "--rm", "--", *STUBBORN) as run:
        assert run.stdout.readline() == "ready\n"
        run.send_signal(signal.SIGINT)
        run.send_signal(signal.SIGTERM)
        assert status(listed("ps")[0]["name"]) == "running"
        run.send_signal(signal.SIGINT)
        assert run.communicate(timeout=60) == ("", "")
    assert run.returncode == 137


def test_a_plan_is_printed_and_nothing_made():
    lines = done("run", "--plan", "--", "true").splitlines()
    assert len(done("run", "--dry-run", "--", "true").splitlines()) == len(lines)
    steps = json.loads(done("run", "--plan", "--json", "--", "true"))
    assert [step["phase"] for step in steps] == [line.split()[0] for line in lines]
    assert {"cgroup", "clone", "rootfs", "exec"} <= {step["phase"] for step in steps}
    assert lines[-1].split() == [steps[-1]["phase"], *steps[-1]["text"].split()]
    assert listed("ps", "-a") == []


def test_a_step_of_several_lines_is_printed_as_such():
    lines = done("run", "-b", "vm", "--plan", "--", "true").splitlines()
    (first,) = (number for number, line in enumerate(lines) if line.lstrip().startswith("<domain "))
    assert lines[first].startswith(" "), "the phase stands once, before the step's first line"
    assert "</domain>" in [line.strip() for line in lines[first:]]


# Detached


def test_a_detached_life():
    assert detach("--name", "web", "--memory", "64M", "--", *OBEDIENT) == "web"
    with start("logs", "-f", "web") as follower:
        assert follower.stdout.readline() == "ready\n"
        [row] = listed("ps")
        assert (row["name"], row["status"], row["variant"]) == ("web", "running", "container")
        assert "running" in done("ps")

        assert done("exec", "web", "--", "sh", "-c", "echo $0 $1", "a", "b c") == "a b c\n"
        assert isoscope("exec", "web", "sh", "-c", "exit 5").returncode == 5
        assert isoscope("exec", "web", "cat", input="piped", stdin=None).stdout == "piped"
        refused(isoscope("exec", "web", "--", "nosuchcommand"), 127)
        refused(isoscope("exec", "web", "--", "/etc"), 126)

        [used] = listed("stats", "web")
        assert used["cpu_ns"] > 0
        assert 0 < used["memory"] <= used["limits"]["memory"] == 64 << 20
        assert "64 MiB" in done("stats", "--no-stream")
        processes = listed("top", "web")
        assert processes[0]["pid"] == 1
        assert processes[0]["command"].startswith("sh -c trap")
        assert [p["command"] for p in processes[1:]] == ["sleep 1000"]
        assert "sleep 1000" in done("top", "web")

        [about] = listed("inspect", "web")
        assert about["proof"]["kernel"] == os.uname().release
        assert about["owner"]["alive"]
        assert about["timeline"]["ready"] > about["timeline"]["start"]

        assert done("pause", "web") == "web\n"
        assert status("web") == "paused"
        refused(isoscope("pause", "web"), 2)
        refused(isoscope("exec", "web", "true"), 2)
        assert done("resume", "web") == "web\n"
        assert status("web") == "running"

        with start("wait", "web") as waiter:
            assert done("stop", "web") == "web\n"
            assert waiter.communicate(timeout=60) == ("7\n", "")
        assert follower.communicate(timeout=60) == ("", "")
    assert done("stop", "web") == "web\n"
    assert done("wait", "web") == "7\n"
    assert listed("wait", "web")[0]["exit_status"] == 7
    for verb in ("start", "pause", "resume", "kill"):
        message, _ = refused(isoscope(verb, "web"), 2)
        assert message == f"cannot {verb} 'web': it is stopped"
    [about] = listed("inspect", "web")
    assert not about["owner"]["alive"]
    assert about["timeline"]["deleted"] > about["timeline"]["exit"]
    assert about["proof"]["kernel"] == os.uname().release
    assert done("rm", "web") == "web\n"


def test_created_then_started():
    assert done("create", "--name", "web", "--", "sh", "-c", "echo started") == "web\n"
    assert status("web") == "created"
    refused(isoscope("exec", "web", "true"), 2)
    refused(isoscope("stop", "web"), 2)
    assert isoscope("logs", "web").stdout == ""
    with start("logs", "-f", "web") as follower:
        assert done("start", "web") == "web\n"
        assert follower.communicate(timeout=60) == ("started\n", "")
    assert stopped("web") == 0


def test_a_created_one_is_removed_without_force():
    done("create", "--name", "web", "--", "true")
    done("rm", "web")
    assert status("web") == "none"


def test_a_command_that_does_not_exist_is_known_when_it_starts():
    done("create", "--name", "web", "--", "nosuchcommand")
    message, _ = refused(isoscope("start", "web"), 1)
    assert "nosuchcommand" in message
    [about] = listed("inspect", "web")
    assert about["status"] == "stopped"
    assert about["exit"]["error"]["error"] == "CommandNotFound"
    assert stopped("web") == 127


def test_one_that_runs_is_removed_only_by_force():
    name = detach("--", *STUBBORN)
    message, hint = refused(isoscope("rm", name), 2)
    assert "it is running" in message
    assert f"rm -f {name}" in hint
    with start("wait", name) as waiter, start("logs", "-f", name) as follower:
        assert follower.stdout.readline() == "ready\n"
        assert done("rm", "-f", name) == f"{name}\n"
        assert follower.communicate(timeout=60) == ("", "")
        assert waiter.communicate(timeout=60)[0] in ("137\n", "")
    assert listed("ps", "-a") == []


def test_stop_insists():
    name = detach("--", *STUBBORN)
    with start("logs", "-f", name) as follower:
        assert follower.stdout.readline() == "ready\n"
        done("stop", "-t", "0.1", name)
    assert stopped(name) == 137


def test_rm_takes_the_record_along_when_it_ends():
    name = detach("--rm", "--", *OBEDIENT)
    with start("logs", "-f", name) as follower:
        assert follower.stdout.readline() == "ready\n"
        assert done("stop", name) == f"{name}\n"
        follower.communicate(timeout=60)
    assert listed("ps", "-a") == []


def test_several_at_once_and_every_failure_told():
    names = [detach("--name", f"web{number}", "--", *OBEDIENT) for number in range(2)]
    ended = isoscope("stop", "web0", "nosuch", "web1", "web0", "neither")
    assert ended.returncode == 2
    assert ended.stdout == "web0\nweb1\n"
    assert [line for line in ended.stderr.splitlines() if line.startswith("error")] == [
        "error: 'nosuch' is not an instance",
        "error: 'neither' is not an instance",
    ]
    ended = isoscope("wait", "--json", *names, "nosuch")
    assert json.loads(ended.stdout)["message"] == "'nosuch' is not an instance"
    assert len(listed("inspect", *names)) == 2
    done("rm", *names)


def test_what_a_detached_one_cannot_do_is_told_to_the_caller():
    refused(isoscope("run", "-d", "--", "nosuchcommand"), 127)
    refused(isoscope("run", "-d", "--name", "bad name", "--", "true"), 2)
    refused(isoscope("create", "-i", "nosuchimage", "--", "true"), 2)
    assert listed("ps", "-a") == []


def test_it_goes_on_in_a_session_of_its_own(tmp_path):
    """No terminal, working directory or descriptor of the caller's is held."""
    read, write = os.pipe()
    with open(read, "rb") as reader:
        subprocess.run(
            ["sh", "-c", 'exec "$@"', "sh", "isoscope", "run", "-d", "--name", "web", "--", *OBEDIENT],
            executable="/bin/sh",
            env={**os.environ, "PATH": f"{os.path.dirname(os.sys.executable)}:{os.environ['PATH']}"},
            cwd=tmp_path,
            pass_fds=[write],
            stdout=write,
            check=True,
        )
        os.close(write)
        assert reader.read() == b"web\n"  # to its end: nobody holds the other end
    pid = listed("inspect", "web")[0]["owner"]["pid"]
    assert os.getsid(pid) != os.getsid(0)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert not any(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("/dev/pts") for fd in os.listdir(f"/proc/{pid}/fd"))
    done("rm", "-f", "web")


def test_a_caller_of_exec_who_dies_ends_the_command():
    name = detach("--", *OBEDIENT)
    read, write = os.pipe()
    with (
        open(read, "rb") as reader,
        start("exec", name, "--", "sh", "-c", "echo there; exec sleep 1000", stdout=write) as run,
    ):
        os.close(write)
        assert reader.readline() == b"there\n"
        run.kill()
        assert reader.read() == b""  # the command has ended
    assert status(name) == "running"
    done("rm", "-f", name)


def test_signals_to_exec_are_the_commands():
    name = detach("--", *OBEDIENT)
    # Ready once there is a sleep that the trap can end: one that is left would hold the pipes open.
    script = "trap 'echo caught; kill $!; exit 9' TERM; sleep 1000 & echo ready; wait $!"
    with start("exec", name, "--", "sh", "-c", script) as run:
        assert run.stdout.readline() == "ready\n"
        run.terminate()
        assert run.communicate(timeout=60) == ("caught\n", "")
    assert run.returncode == 9
    done("rm", "-f", name)


@pytest.mark.vm
@pytest.mark.slow
def test_a_virtual_machines_life(tmp_path):
    assert detach("-b", "vm", "--name", "guest", "--memory", "256M", "--", *OBEDIENT) == "guest"
    with start("logs", "-f", "guest") as follower:
        assert follower.stdout.readline() == "ready\n"
        release = done("exec", "guest", "--", "uname", "-r").strip()
        assert release != os.uname().release
        assert isoscope("exec", "guest", "cat", input="piped", stdin=None).stdout == "piped"
        assert isoscope("exec", "guest", "sh", "-c", "exit 5").returncode == 5
        refused(isoscope("exec", "guest", "--", "nosuchcommand"), 127)
        assert "sleep 1000" in [process["command"] for process in listed("top", "guest")]
        [used] = listed("stats", "guest")
        assert used["cpu_ns"] > 0
        assert used["memory"] > 0
        [about] = listed("inspect", "guest")
        assert about["proof"]["kernel"] == release
        assert about["proof"]["accelerator"] in ("kvm", "tcg")
        done("pause", "guest")
        assert status("guest") == "paused"
        done("resume", "guest")
        done("stop", "guest")
        assert follower.communicate(timeout=60) == ("", "")
    assert stopped("guest") == 7
    created = done("create", "-b", "vm", "--rm", "--", "sh", "-c", "echo created; exit 3").strip()
    with start("logs", "-f", created) as follower:
        done("start", created)
        assert follower.communicate(timeout=120) == ("created\n", "")
    ended = isoscope(
        "run", "--rm", "-b", "vm", "--", "sh", "-c", "cat; echo err >&2; exit 3", input="through", stdin=None
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "through", "err\n")
    assert listed("ps", "-a") == []
