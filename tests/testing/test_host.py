"""The look at the host finds what is there, tells whose it is, and is fast enough to be taken around every test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from isoscope.backends.network.names import Names
from isoscope.core.registry import Registry
from isoscope.testing.host import HostSnapshot, HostWatch

pytestmark = pytest.mark.root


@pytest.fixture
def mark(home: Path) -> Iterator[str]:
    """The mark of an instance in the registry."""
    record = Registry(home).create(name="", variant="fake", workload={}, image="")
    yield record.mark
    record.forget()


@contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has begun, and is ended."""
    script = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, *command],
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        child.stdout.readline()
        yield child
        child.kill()


@contextmanager
def command_line(home: Path, mark: str) -> Iterator[None]:
    with process(f"--root={home}/somewhere"):
        yield


@contextmanager
def environment(home: Path, mark: str) -> Iterator[None]:
    with process(ISOSCOPE_HOME=str(home)):
        yield


@contextmanager
def mount(home: Path, mark: str) -> Iterator[None]:
    point = home / "images"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    yield
    subprocess.run(["umount", point], check=True)


@contextmanager
def root_directory(home: Path, mark: str) -> Iterator[None]:
    """A process whose tree was built from the directory, as a container's is, and which says so nowhere else."""
    (home / "images").mkdir()
    root = home / "images"
    script = f"mount -t tmpfs {root} {root}; cd {root}; mkdir old; pivot_root . old; cd /; echo; read line\n"
    with subprocess.Popen(
        ["unshare", "-m", "sh"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    ) as child:
        child.stdin.write(script.encode())
        child.stdin.flush()
        child.stdout.readline()
        yield


@contextmanager
def network_namespace(home: Path, mark: str) -> Iterator[None]:
    subprocess.run(["ip", "netns", "add", mark], check=True)
    yield
    subprocess.run(["ip", "netns", "delete", mark], check=True)


@contextmanager
def link(home: Path, mark: str) -> Iterator[None]:
    name = Names.of(home).interface(9)
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield
    subprocess.run(["ip", "link", "delete", name], check=True)


@contextmanager
def cgroup(home: Path, mark: str) -> Iterator[None]:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    directory = Path(next(point for _, point, kind, *_ in mounts if kind in ("cgroup", "cgroup2")), mark)
    directory.mkdir()
    yield
    directory.rmdir()


@contextmanager
def table(home: Path, mark: str) -> Iterator[None]:
    subprocess.run(["nft", "add", "table", "ip", Names.of(home).table], check=True)
    yield
    subprocess.run(["nft", "delete", "table", "ip", Names.of(home).table], check=True)


@contextmanager
def loop(home: Path, mark: str) -> Iterator[None]:
    (home / "images").mkdir()
    image = home / "images" / "disk"
    image.write_bytes(bytes(1 << 20))
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout
    yield
    subprocess.run(["losetup", "--detach", device.strip()], check=True)


@contextmanager
def file(home: Path, mark: str) -> Iterator[None]:
    (home / "something").touch()
    yield
    (home / "something").unlink()


@contextmanager
def shared_memory(home: Path, mark: str) -> Iterator[None]:
    path = Path("/dev/shm", mark)
    path.touch()
    yield
    path.unlink()


KINDS = {
    command_line: "processes",
    environment: "processes",
    mount: "mounts",
    root_directory: "processes",
    network_namespace: "namespaces",
    link: "links",
    cgroup: "cgroups",
    table: "tables",
    loop: "loops",
    file: "files",
    shared_memory: "files",
}


#: These carry the directory's path and not our name, unless the path holds it.
NAMED_BY_HOME_ALONE = (command_line, environment, mount, root_directory, loop)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_what_is_there_is_found_and_is_its_owners(make, home, mark, tmp_path):
    before, stranger = HostSnapshot.take(home), HostSnapshot.take(tmp_path)
    with make(home, mark):
        during = HostSnapshot.take(home)
        changed = [field.name for field in fields(before) if getattr(before, field.name) != getattr(during, field.name)]
        assert changed == [KINDS[make]]
        (line,) = before.difference(during)
        assert line.startswith("new ")
        (line,) = during.difference(before)
        assert " has gone: " in line
        assert stranger.difference(HostSnapshot.take(tmp_path)) == [], "it is not another state directory's"
        if make is not file:  # an unmarked file in a directory is found by asking for the directory
            assert getattr(HostSnapshot.take(), KINDS[make]) or make in NAMED_BY_HOME_ALONE
    assert before.difference(HostSnapshot.take(home)) == []


def test_every_kind_of_thing_is_tried():
    assert set(KINDS.values()) == {field.name for field in fields(HostSnapshot)}


def test_a_state_directory_does_not_claim_what_belongs_to_one_with_a_longer_name(home):
    with process(f"--root={home}2/somewhere"), process(f"--root={home}.old"):
        assert HostSnapshot.take(home).processes == frozenset()


def test_the_one_who_asks_and_those_who_wait_for_it_do_not_count(home):
    script = """
import sys
from pathlib import Path
from isoscope.testing.host import HostSnapshot
print(len(HostSnapshot.take(Path(sys.argv[1])).processes))
"""
    done = subprocess.run([sys.executable, "-c", script, str(home)], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_images_and_caches_are_kept_on_purpose(home):
    before = HostSnapshot.take(home)
    for name in ("images", "layers", "cache"):
        (home / name).mkdir()
        (home / name / "something").touch()
    assert before.difference(HostSnapshot.take(home)) == []


def test_what_lies_behind_a_mount_is_not_listed(home):
    point = home / "point"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        (point / "behind").touch()
        taken = HostSnapshot.take(home)
    finally:
        subprocess.run(["umount", point], check=True)
    assert (taken.mounts, taken.files) == ({str(point)}, {str(point)})
    point.rmdir()


def test_a_watch_finds_what_an_instance_left_whose_record_is_gone(home):
    with HostWatch(home) as watch:
        record = Registry(home).create(name="", variant="fake", workload={}, image="")
        left = Path("/dev/shm", record.mark)
        left.touch()
        record.forget()
        assert watch.difference() == [f"new file: {left}"]
        left.unlink()
        assert watch.difference() == []
    watch.close()


def test_a_look_takes_less_than_a_tenth_of_a_second_of_processor_time(home):
    HostSnapshot.take(home)
    begin = time.process_time()
    for _ in range(5):
        HostSnapshot.take(home)
    assert (time.process_time() - begin) / 5 < 0.1
