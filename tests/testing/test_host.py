"""The look at the host finds what is there, tells whose it is, and is fast enough to be taken around every test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


# Each kind of thing, made in the directory `place` and carrying `name`. Yields what its line in a snapshot must hold.


@contextmanager
def command_line(place: Path, name: str) -> Iterator[str]:
    with process(f"--name={name}") as child:
        yield f"{child.pid} (its command line)"


@contextmanager
def environment(place: Path, name: str) -> Iterator[str]:
    with process(NAME=name) as child:
        yield f"{child.pid} (its environment)"


@contextmanager
def mount(place: Path, name: str) -> Iterator[str]:
    point = place / "images"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", name, point], check=True)
    yield str(point)
    subprocess.run(["umount", point], check=True)


@contextmanager
def root_directory(place: Path, name: str) -> Iterator[str]:
    """A process whose tree was built under that name, as a container's is, and which says so nowhere else."""
    root = place / "images"
    root.mkdir()
    script = f"mount -t tmpfs {name} {root}; cd {root}; mkdir old; pivot_root . old; cd /; echo; read line\n"
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
        yield f"{child.pid} (its root)"


@contextmanager
def network_namespace(place: Path, name: str) -> Iterator[str]:
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield name
    subprocess.run(["ip", "netns", "delete", name], check=True)


@contextmanager
def link(place: Path, name: str) -> Iterator[str]:
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


@contextmanager
def cgroup(place: Path, name: str) -> Iterator[str]:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    directory = Path(next(point for _, point, kind, *_ in mounts if kind in ("cgroup", "cgroup2")), name)
    directory.mkdir()
    yield str(directory)
    directory.rmdir()


@contextmanager
def table(place: Path, name: str) -> Iterator[str]:
    subprocess.run(["nft", "add", "table", "ip", name], check=True)
    yield name
    subprocess.run(["nft", "delete", "table", "ip", name], check=True)


@contextmanager
def loop(place: Path, name: str) -> Iterator[str]:
    image = place / "images" / name
    image.parent.mkdir()
    image.write_bytes(bytes(1 << 20))
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout
    yield device.strip()
    subprocess.run(["losetup", "--detach", device.strip()], check=True)


@contextmanager
def file(place: Path, name: str) -> Iterator[str]:
    (place / name).touch()
    yield str(place / name)
    (place / name).unlink()


@contextmanager
def shared_memory(place: Path, name: str) -> Iterator[str]:
    with file(Path("/dev/shm"), name) as path:
        yield path


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

#: These name a state directory by its path, or lie in it, and say nothing else of whose they are.
BY_PATH = {
    command_line: lambda home: f"{home}/somewhere",
    environment: str,
    mount: lambda home: "none",
    root_directory: str,
    loop: lambda home: "disk",
    file: lambda home: "something",
}

#: These have names that are made of a state directory's path; all others can carry an instance's mark.
BY_HASH = {link: lambda home: Names.of(home).interface(9), table: lambda home: Names.of(home).table}
MARKED = [make for make in KINDS if make not in BY_HASH and make is not file]


@pytest.mark.parametrize("make", BY_PATH, ids=lambda make: make.__name__)
def test_what_names_a_state_directory_or_lies_in_it_is_found_and_is_nobody_elses(make, home, tmp_path):
    finds(make, home, BY_PATH[make](home), home, tmp_path)


@pytest.mark.parametrize("make", BY_HASH, ids=lambda make: make.__name__)
def test_what_has_the_hash_of_a_state_directory_is_found_and_is_nobody_elses(make, home, tmp_path):
    finds(make, tmp_path, BY_HASH[make](home), home, tmp_path)


@pytest.mark.parametrize("make", MARKED, ids=lambda make: make.__name__)
def test_what_carries_the_mark_of_an_instance_is_found_wherever_it_is(make, home, mark, tmp_path):
    finds(make, tmp_path, mark, home, home / "another")


def finds(make, place: Path, name: str, home: Path, another: Path) -> None:
    """That a thing changes one line of what is looked at for `home`, and nothing for another state directory."""
    before, others = HostSnapshot.take(home), HostSnapshot.take(another)
    with make(place, name) as what:
        during = HostSnapshot.take(home)
        changed = [field.name for field in fields(before) if getattr(before, field.name) != getattr(during, field.name)]
        assert changed == [KINDS[make]]
        (line,) = before.difference(during)
        assert line.startswith("new ")
        assert what in line
        (line,) = during.difference(before)
        assert " has gone: " in line
        assert others.difference(HostSnapshot.take(another)) == [], "it is not another state directory's"
    assert before.difference(HostSnapshot.take(home)) == []


@pytest.mark.parametrize("make", [*MARKED, *BY_HASH], ids=lambda make: make.__name__)
def test_what_is_a_strangers_is_not_found_for_us_but_among_everybodys(make, home, mark, tmp_path):
    """Its twin, but for the name: an instance of another state directory, or that one's hash."""
    twin = BY_HASH[make](tmp_path) if make in BY_HASH else f"isoscope-{int(mark[9:], 16) ^ 1:012x}"
    before = HostSnapshot.take(home)
    with make(tmp_path, twin) as what:
        assert before.difference(HostSnapshot.take(home)) == []
        # Everybody's environments are not looked at: whoever works with a state directory names it there.
        assert shown(what, HostSnapshot.take(), KINDS[make]) == (make is not environment)


@pytest.mark.parametrize("make", [*MARKED, *BY_HASH], ids=lambda make: make.__name__)
def test_what_has_not_our_name_is_nobodys(make, home, mark, tmp_path):
    with make(tmp_path, "other0123456789" if make in BY_HASH else mark.replace("isoscope", "others")) as what:
        assert not shown(what, HostSnapshot.take(home), KINDS[make])
        assert not shown(what, HostSnapshot.take(), KINDS[make])


def shown(what: str, snapshot: HostSnapshot, field: str) -> bool:
    return any(what in line for line in getattr(snapshot, field))


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


def test_what_processes_share_is_everybodys(home):
    shared = Path("/run/isoscope", f"test{os.getpid()}")
    shared.mkdir(parents=True)
    try:
        assert str(shared) in HostSnapshot.take().files
        assert HostSnapshot.take(home).files == set()
    finally:
        shared.rmdir()
        with suppress(OSError):  # others use it
            shared.parent.rmdir()


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
