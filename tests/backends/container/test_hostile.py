"""Images and commands that mean harm, and what they get."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.container.probe import marked_processes
from isoscope.core import Exit, Mount, Resources
from isoscope.core.errors import CommandNotExecutable, CommandNotFound, InputError, InstanceFailed
from isoscope.core.output import read_log

pytestmark = pytest.mark.root


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A directory of the host that an image would like to reach."""
    directory = tmp_path / "host"
    directory.mkdir()
    (directory / "secret").write_text("secret\n")
    return directory


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_a_link_in_the_place_of_a_kernel_file_system_is_refused(box, target, name):
    (box.layer / name).symlink_to(f"../../../../../../../..{target}")
    with pytest.raises(InstanceFailed, match=f"/{name}"):
        box.start("true")
    assert os.listdir(target) == ["secret"]


def test_a_link_at_the_target_of_a_volume_leads_nowhere_but_inside(box, target, tmp_path):
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "mine").touch()
    (box.layer / "absolute").symlink_to(target)
    (box.layer / "relative").symlink_to("../../../../../.." + str(target))
    for name in ("absolute", "relative"):
        ran = box.sh(f"ls /{name} {target}", mounts=(Mount(volume, PurePosixPath(f"/{name}")),))
        assert ran.out.split() == [f"/{name}:", "mine", f"{target}:", "mine"], ran
    assert os.listdir(target) == ["secret"]


def test_a_file_volume_over_a_link_to_a_file_of_the_host(box, target, tmp_path):
    (tmp_path / "mine").write_text("mine\n")
    (box.layer / "f").symlink_to(target / "secret")
    assert box.sh("cat /f", mounts=(Mount(tmp_path / "mine", PurePosixPath("/f")),)).out == "mine\n"
    assert (target / "secret").read_text() == "secret\n"


def test_passwd_as_a_link_or_a_fifo_reads_nothing_of_the_host(box, tmp_path):
    (tmp_path / "passwd").write_text("intruder:x:0:0::/:\n")
    (box.layer / "etc").mkdir()
    (box.layer / "etc/passwd").symlink_to(tmp_path / "passwd")
    with pytest.raises(InstanceFailed, match="intruder"):
        box.start("true", image={"user": "intruder"})
    (box.layer / "etc/passwd").unlink()
    os.mkfifo(box.layer / "etc/passwd")
    assert box.run("true").how == Exit(code=0)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "denied"),
        (lambda path: path.write_text("#!/bin/sh\necho no x\n"), "denied"),
        (lambda path: (path.write_bytes(b"\x7fELFgarbage"), path.chmod(0o755)), "format"),
        (lambda path: (path.write_text("no shebang\n"), path.chmod(0o755)), "format"),
        (lambda path: (path.write_text("#!/no/such\n"), path.chmod(0o755)), "interpreter"),
        (lambda path: path.symlink_to("thing"), "levels"),
        (lambda path: os.mkfifo(path, 0o755), "denied"),
    ],
    ids=["directory", "not executable", "broken ELF", "no shebang", "no interpreter", "link to itself", "FIFO"],
)
def test_a_command_that_is_no_program(box, make, reason):
    (box.layer / "bin").mkdir()
    (box.layer / "bin").chmod(0o755)
    make(box.layer / "bin/thing")
    with pytest.raises(CommandNotExecutable, match=reason):
        box.start("/bin/thing")


def test_the_shell_is_a_directory(box):
    (box.layer / "bin/sh").mkdir(parents=True)
    with pytest.raises(CommandNotExecutable):
        box.start("/bin/sh")


@pytest.mark.parametrize("command", ["", "nothing", "./nothing", "/nothing", "/bin/true/x", "no\nsuch;true", "\udcff"])
def test_a_command_that_is_not_there(box, command):
    with pytest.raises(CommandNotFound):
        box.start(command)


def test_too_many_arguments(box):
    with pytest.raises(CommandNotExecutable, match="too long"):
        box.start("true", "x" * (1 << 18))


def test_the_launchers_own_program_cannot_be_overwritten(box):
    """CVE-2019-5736: a command that is the runtime's program itself, and then writes to it."""
    digest = hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest()
    (box.layer / "bin").mkdir()
    (box.layer / "bin/self").symlink_to("/proc/self/exe")
    try:
        ran = box.run("/bin/self", "-c", "import os; os.open('/proc/self/exe', os.O_WRONLY)")
    except (CommandNotExecutable, CommandNotFound):
        pass
    else:
        assert ran.how != Exit(code=0)
    assert hashlib.sha256(Path(sys.executable).read_bytes()).hexdigest() == digest


def test_ten_megabytes_of_output_that_nobody_waits_for(box):
    instance = box.start("sh", "-c", "head -c 10485760 /dev/zero")
    assert instance.wait(60) == Exit(code=0)
    assert sum(len(data) for _, data in read_log(instance.record.log)) == 10 << 20


def test_a_fork_bomb_is_held_and_cleared_away(box):
    instance = box.start("sh", "-c", "echo up; b() { b | b & }; b; sleep 1000", resources=Resources(pids=40))
    instance.wait_ready(60)
    assert instance.stats().pids <= 40
    assert box.run("true").how == Exit(code=0)
    instance.delete()
    assert not Path(f"/sys/fs/cgroup/pids/isoscope/{instance.record.mark}").exists()


def test_a_memory_hog_is_killed_and_it_is_said_why(box):
    hog = 'x=x; while :; do x="$x$x"; done'
    how = box.sh(hog, resources=Resources(memory=24 << 20)).how
    assert (how.signal, how.oom_killed) == (9, True)
    how = box.sh(f"sh -c '{hog}'; exit $?", resources=Resources(memory=24 << 20)).how
    assert (how.code, how.oom_killed) == (137, True)
    instance = box.start("sleep", "1000", resources=Resources(memory=24 << 20))
    instance.kill(9)
    assert instance.wait(60) == Exit(signal=9, oom_killed=False)


def test_orphans_and_zombies_go_with_the_container(box):
    script = "i=0; while [ $i -lt 20 ]; do (setsid sleep 1000 &) ; (true &); i=$((i+1)); done; echo made"
    instance = box.start("sh", "-c", f"{script}; sleep 1000")
    instance.wait_ready(60)
    assert instance.stats().pids >= 20
    instance.delete()
    assert list(marked_processes(instance.record.mark)) == []


def test_orphans_that_hold_the_output_open_do_not_hold_up_the_end(box):
    assert box.sh("sleep 1000 & echo out").how == Exit(code=0)


def test_the_longest_and_oddest_name_that_is_allowed(box):
    launch = box.launch("hostname")
    launch.record.name = "A_.-" + "x" * 59
    with box.lab.backend("container").create(launch) as instance:
        instance.start()
        assert instance.wait(60) == Exit(code=0)
        assert launch.record.name in instance.record.log.read_text()


def test_a_volume_cannot_stand_for_the_root(box, tmp_path):
    with pytest.raises(InputError):
        box.create("true", mounts=(Mount(tmp_path, PurePosixPath("/")),))


def test_a_volume_that_went_away_between_create_and_start(box, tmp_path):
    (tmp_path / "v").mkdir()
    instance = box.create("true", mounts=(Mount(tmp_path / "v", PurePosixPath("/v")),))
    (tmp_path / "v").rmdir()
    with pytest.raises(InstanceFailed, match="ENOENT"):
        instance.start()


def test_layers_and_volumes_with_odd_names(box, tmp_path):
    odd = tmp_path / "a:b,c\\d e=f'\"$(id)\n"
    odd.mkdir()
    (odd / "file").write_text("odd\n")
    (odd / "at").mkdir()
    box.layer = odd
    ran = box.sh("cat /file /at/file", mounts=(Mount(odd, PurePosixPath("/at")),))
    assert ran.out == "odd\nodd\n"


def test_a_hundred_layers_with_long_names(box, tmp_path):
    """More than fit one page of mount options, were they given by their paths."""
    launch = box.launch("sh", "-c", "ls /layers | wc -l")
    layers = [*launch.rootfs.layers]
    for number in range(100):
        layer = tmp_path / ("l" * 200) / str(number)
        (layer / "layers").mkdir(parents=True)
        (layer / "layers" / str(number)).touch()
        layers.append(layer)
    launch = replace(launch, rootfs=replace(launch.rootfs, layers=tuple(layers)))
    with box.lab.backend("container").create(launch) as instance:
        instance.start()
        assert instance.wait(60) == Exit(code=0)
        assert '"100\\n"' in instance.record.log.read_text()


def test_many_at_once_from_many_threads(box):
    instances = [box.create("echo", str(number)) for number in range(40)]
    failures = []

    def live(instance):
        try:
            instance.start()
            assert instance.wait(60) == Exit(code=0)
            ((stream, data),) = read_log(instance.record.log)
            assert (stream, data) == ("stdout", f"{instance.workload.command[1]}\n".encode())
            instance.delete()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=live, args=(instance,)) for instance in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
