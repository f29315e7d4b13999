"""Wrong input and faults: one error, one hint, the exit status, and nothing left behind."""

import os
import signal

import pytest
from isoscope.core.registry import Registry

from .conftest import Ending, done, isoscope, listed, refused, start

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("stocked_home")]

RUN = ("run", "--rm")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((*RUN, "-b", "nosuch", "--", "true"), 2, "there is no backend 'nosuch'"),
        ((*RUN, "-b", "../container", "--", "true"), 2, "'../container' is not a variant"),
        ((*RUN, "-b", "container:colour=blue", "--", "true"), 2, "backend 'container' has no option 'colour'"),
        ((*RUN, "-b", "container:memory", "--", "true"), 2, "'memory' in 'container:memory' is not an option"),
        ((*RUN, "-b", "container:memory=lots", "--", "true"), 2, "'lots' is not a size"),
        ((*RUN, "-b", "container:network=moon", "--", "true"), 2, "unknown network 'moon'"),
        ((*RUN, "-b", "process:network=vf", "--", "true"), 2, "backend 'process' has no network 'vf'"),
        ((*RUN, "-b", "process:memory=64M", "--", "true"), 2, "backend 'process' cannot limit memory"),
        ((*RUN, "-i", "nosuch", "--", "true"), 2, "nosuch"),
        ((*RUN, "-i", "../../etc", "--", "true"), 2, "../../etc"),
        ((*RUN, "--memory", "lots", "--", "true"), 2, "'lots' is not a size"),
        ((*RUN, "--memory", "1K", "--", "true"), 2, "memory=1024 is out of range"),
        ((*RUN, "--cpus", "0", "--", "true"), 2, "cpus=0.0 is out of range"),
        ((*RUN, "--cpus", "nan", "--", "true"), 2, "cpus=nan is out of range"),
        ((*RUN, "--cpus", "many", "--", "true"), 2, "'many' is not a valid float"),
        ((*RUN, "--pids", "-1", "--", "true"), 2, "pids=-1 is out of range"),
        ((*RUN, "--network", "moon", "--", "true"), 2, "'moon' is not one of"),
        ((*RUN, "-v", "/nosuch:/data", "--", "true"), 2, "mount source '/nosuch' does not exist"),
        ((*RUN, "-v", "/tmp:data", "--", "true"), 2, "has a path that is not absolute"),
        ((*RUN, "-v", "/tmp:/data/../../x", "--", "true"), 2, "has a path that is not absolute"),
        ((*RUN, "-v", "/tmp", "--", "true"), 2, "'/tmp' is not a mount"),
        ((*RUN, "-e", "COLOUR", "--", "true"), 2, "'COLOUR' sets no variable"),
        ((*RUN, "--name", "../x", "--", "true"), 2, "'../x' is not a name"),
        ((*RUN, "--name", "-x", "--", "true"), 2, "'-x' is not a name"),
        ((*RUN, "--nosuch", "--", "true"), 2, "no such option '--nosuch'"),
        ((*RUN, "--json", "--", "true"), 2, "--json needs --plan"),
        ((*RUN, "-t", "--", "true"), 2, "standard input is not a terminal"),
        ((*RUN, "--", "nosuchcommand"), 127, "command 'nosuchcommand' does not exist in the image"),
        ((*RUN, "--", "/bin/nosuch/x"), 127, "'/bin/nosuch/x'"),
        ((*RUN, "--", "/etc"), 126, "command '/etc' cannot be executed"),
        ((*RUN, "-b", "process", "--", "nosuchcommand"), 127, "command 'nosuchcommand' does not exist in the image"),
        ((*RUN, "-d", "-b", "nosuch", "--", "true"), 2, "there is no backend 'nosuch'"),
        ((*RUN, "-d", "--", "nosuchcommand"), 127, "command 'nosuchcommand' does not exist in the image"),
        (("create", "--memory", "lots", "--", "true"), 2, "'lots' is not a size"),
        (("exec", "nosuch", "--", "true"), 2, "'nosuch' is not an instance"),
        (("exec", "-t", "nosuch", "--", "true"), 2, "standard input is not a terminal"),
        (("start", "nosuch"), 2, "'nosuch' is not an instance"),
        (("logs", "nosuch"), 2, "'nosuch' is not an instance"),
        (("logs", "-f", "../names"), 2, "'../names' is not an instance"),
        (("inspect", ""), 2, "'' is not an instance"),
        (("stats", "nosuch"), 2, "'nosuch' is not an instance"),
        (("top", "nosuch"), 2, "'nosuch' is not an instance"),
        (("wait", "nosuch"), 2, "'nosuch' is not an instance"),
        (("rm", "-f", "nosuch"), 2, "'nosuch' is not an instance"),
        (("kill", "-s", "HUGE", "nosuch"), 2, "'HUGE' is not a signal"),
        (("kill", "-s", "0", "nosuch"), 2, "'0' is not a signal"),
        (("kill", "-s", "65", "nosuch"), 2, "'65' is not a signal"),
        (("stop", "-t", "-1", "nosuch"), 2, "-1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_input(arguments, status, message):
    told, hint = refused(isoscope(*arguments), status)
    assert message in told
    assert hint
    assert listed("ps", "-a") == []


@pytest.mark.vm
def test_a_command_that_a_virtual_machine_cannot_execute():
    told, _ = refused(isoscope(*RUN, "-b", "vm", "--", "/etc"), 126)
    assert "'/etc'" in told
    assert listed("ps", "-a") == []


def test_a_name_that_is_taken():
    done("create", "--name", "web", "--", "true")
    for command in (("run", "--name", "web", "--", "true"), ("create", "--name", "web", "--", "true")):
        told, hint = refused(isoscope(*command), 2)
        assert told == "the name 'web' is taken"
        assert "isoscope rm -f web" in hint
    assert len(listed("ps", "-a")) == 1
    done("rm", "web")


def test_the_beginning_of_an_id_must_be_unambiguous(stocked_home):
    registry = Registry(stocked_home)
    records = [registry.create(name="", variant="null", workload={}, image="") for _ in range(17)]  # two begin alike
    beginnings = [record.id[0] for record in records]
    first = next(beginning for beginning in beginnings if beginnings.count(beginning) > 1)
    told, _ = refused(isoscope("inspect", first), 2)
    assert told == f"{first!r} could be any of {beginnings.count(first)} instances"
    for record in records:
        record.forget()


def test_names_and_options_never_reach_a_shell(tmp_path):
    evil = f"$(touch {tmp_path}/owned);`touch {tmp_path}/owned`\n"
    ended = isoscope("run", "--rm", "-e", f"EVIL={evil}", "--", "sh", "-c", 'printf %s "$EVIL"')
    assert ended.stdout == evil
    assert isoscope("run", "--rm", "--", "echo", evil).stdout == f"{evil}\n"
    refused(isoscope("run", "--rm", "-i", evil, "--", "true"), 2)
    refused(isoscope("run", "--rm", "--", evil), 127)
    assert not (tmp_path / "owned").exists()


def test_a_full_disk(stocked_home):
    """Nothing can be recorded, so nothing is made. A tiny tmpfs stands for the disk."""
    import subprocess

    (stocked_home / "instances").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "isoscope-test", stocked_home / "instances"], check=True)
    try:
        (stocked_home / "instances" / "filler").write_bytes(b"x" * 4096)
        for command in (("run", "--", "true"), ("run", "-d", "--", "true"), ("create", "--", "true")):
            told, hint = refused(isoscope(*command), 3)
            assert "space" in told + hint
        assert os.listdir(stocked_home / "instances") == ["filler"]
    finally:
        subprocess.run(["umount", stocked_home / "instances"], check=True)


def test_an_interrupt_while_it_is_made_leaves_nothing(plugin, tmp_path):
    plugin(SLOW)
    made = tmp_path / "made"
    os.mkfifo(made)
    for number, options in (
        (signal.SIGINT, ()),
        (signal.SIGTERM, ()),
        (signal.SIGINT, ("-d",)),
        (signal.SIGKILL, ("-d",)),
    ):
        with start(*RUN, *options, "-b", "slow", "-e", f"MADE={made}", "--", "true") as run:
            owner = int(made.read_text())  # the instance is being made, and will be for ever
            keeper = Ending(owner)
            run.send_signal(number)
            assert run.communicate(timeout=60)[1].strip() == ""
            keeper.wait()
        assert run.returncode == (-number if number == signal.SIGKILL else 128 + number)
        assert listed("ps", "-a") == []
        assert "instance" not in done("gc")


SLOW = """
import os, signal
from isoscope.core.backend import Backend
from isoscope.core.capabilities import Capabilities
from isoscope.core.hookspecs import hookimpl

class Slow(Backend):
    name, summary, capabilities = "slow", "takes for ever", Capabilities()

    def create(self, launch):
        with open(launch.workload.environment["MADE"], "w") as made:
            made.write(str(os.getpid()))
        while True:
            signal.pause()

    def reclaim(self, record):
        pass

@hookimpl
def isoscope_register_backends(register):
    register("slow", Slow)
"""


def test_a_keeper_that_dies_while_it_makes_is_told_with_its_last_words(plugin):
    plugin(SLOW.replace("with open", "os.write(2, b'out of luck\\n'); os._exit(1)\n        with open"))
    told, hint = refused(isoscope("run", "-d", "-b", "slow", "-e", "MADE=", "--", "true"), 125)
    assert told == "the process that was to keep the instance died: out of luck"
    assert "isoscope gc" in hint
    assert [row["status"] for row in listed("ps")] == ["lost"]
    assert "removed instance" in done("gc")


def test_a_defect_of_a_backend_is_told_by_the_caller(plugin):
    plugin(SLOW.replace("with open", "1 / 0\n        with open"))
    for options in ((), ("-d",)):
        told, _ = refused(isoscope("run", *options, "-b", "slow", "--", "true"), 125)
        assert told == "defect in isoscope: ZeroDivisionError: division by zero"
    assert listed("ps", "-a") == []
