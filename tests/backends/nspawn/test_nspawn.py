"""systemd-nspawn: its command line, what it is told not to keep, and what becomes of it when it goes wrong."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.nspawn import command
from isoscope.core import Exit, Mount, Network
from isoscope.core.errors import ImageError, InputError, InstanceFailed

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="make peers installs it"),
]

PROPAGATE = Path("/run/systemd/nspawn/propagate")


@pytest.fixture
def box(workshop):
    return workshop("nspawn")


@pytest.fixture
def words(box):
    """The command line of a launch, of which nothing is made."""

    def line(*arguments, netns="", image=None, **terms):
        launch = box.launch(*arguments, image=image, **terms)
        try:
            return command.words(launch, "systemd-nspawn", Path("/tree"), netns)
        finally:
            launch.record.forget()

    return line


def test_the_command_stands_last_and_as_it_is(words):
    line = words("-n", "--", "a b")
    assert line[-4:] == ("--", "-n", "--", "a b")


def test_a_colon_in_a_path_ends_no_path(words, tmp_path):
    source = tmp_path / "a:b\\c"
    source.mkdir()
    line = words("true", mounts=(Mount(source, PurePosixPath("/in:side"), read_only=True),))
    assert f"--bind-ro={tmp_path}/a\\:b\\\\c:/in\\:side" in line


def test_the_network_decides_what_it_joins(words):
    assert "--private-network" in words("true")
    host = words("true", network=Network.HOST)
    assert not [word for word in host if "network" in word]
    assert "--network-namespace-path=/proc/1/fd/2" in words("true", network=Network.BRIDGE, netns="/proc/1/fd/2")


def test_users(words):
    assert not [word for word in words("true", image={"user": "root"}) if word.startswith("--user")]
    assert "--user=7" in words("true", image={"user": "7"})
    with pytest.raises(InputError, match="takes a user alone"):
        words("true", image={"user": "7:8"})


def test_its_own_environment_is_not_the_callers(monkeypatch):
    monkeypatch.setenv("LISTEN_FDS", "3")
    monkeypatch.setenv("SYSTEMD_LOG_LEVEL", "debug")
    environment = command.environment(unified=True)
    assert "LISTEN_FDS" not in environment
    assert environment["SYSTEMD_LOG_LEVEL"] == "err"


def test_an_image_that_it_cannot_take(box):
    os.mknod(box.layer / "usr", stat.S_IFCHR, os.makedev(0, 0))  # a whiteout
    instance = box.create("true")
    with pytest.raises(InstanceFailed, match="/usr/ directory is missing"):
        instance.start()


@pytest.mark.parametrize("name", ["dev", "run"])
def test_a_link_of_the_image_leads_it_nowhere(box, tmp_path, name):
    (box.layer / name).symlink_to(f"../../../../../../../..{tmp_path}")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(ImageError, match=f"the image's link '{name}'"):
        box.create("true")
    assert sorted(os.listdir(tmp_path)) == before


def test_where_something_is_shown_links_stay_within_the_image(box, tmp_path):
    (tmp_path / "host").mkdir()
    (box.layer / "in").symlink_to(f"../../../../../../../..{tmp_path}/host")
    box.run("true", mounts=(Mount(tmp_path, PurePosixPath("/in/made/here")),))
    assert os.listdir(tmp_path / "host") == []


def test_nothing_stays_when_it_is_killed_itself(box):
    instance = box.start("sh", "-c", "setsid sleep 1000 & echo up; sleep 1000")
    instance.wait_ready(60)
    mark = instance.record.mark
    assert (PROPAGATE / mark).exists()
    for pid in instance.processes():
        if Path(f"/proc/{pid}/comm").read_text() == "systemd-nspawn\n":
            os.kill(pid, signal.SIGKILL)
    assert instance.wait(60) == Exit(signal=signal.SIGKILL)
    instance.delete()
    assert instance.processes() == ()
    assert not (PROPAGATE / mark).exists()
    assert list(Path("/run/systemd/nspawn/locks").glob(f"*{mark}*")) == []
    assert list(Path("/sys/fs/cgroup").glob(f"**/{mark}")) == []


@pytest.mark.parametrize(("script", "said"), [
    ("echo systemd 239", "too old"), ("echo BusyBox", "not systemd-nspawn"), ("echo no >&2; exit 4", "failed: no"),
])  # fmt: skip
def test_another_program_of_its_name(lab, program_on_path, script, said):
    program_on_path("systemd-nspawn", script)
    (lack,) = lab.backend("nspawn").lacks()
    assert said in lack.what
    assert "systemd-container" in lack.remedy or "see what" in lack.remedy


def test_one_that_cannot_make_a_container_here(lab, program_on_path):
    version = "if [ $1 = --version ]; then echo systemd 252; exit; fi"
    program_on_path("systemd-nspawn", f"{version}; echo 'Failed to determine cgroup hierarchy' >&2; exit 1")
    (lack,) = lab.backend("nspawn").lacks()
    assert "Failed to determine cgroup hierarchy" in lack.what
    assert lack.remedy.startswith("mount cgroup")


def test_one_that_is_not_there(lab, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (lack,) = lab.backend("nspawn").lacks()
    assert lack.remedy == "apt-get install --no-install-recommends systemd-container"
