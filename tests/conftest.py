"""What all tests share: state directories, stocked images, and the check that nothing of ours is left on the host."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from isoscope.core import Lab

#: Folders of a state directory that are dear to fill and the same for every test: the image store, backends' caches.
SHARED = ("images", "cache")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")


def state_directory() -> Path:
    """A new state directory with a path short enough for the sockets below it, wherever TMPDIR may point."""
    return Path(tempfile.mkdtemp(prefix="iso-", dir="/tmp"))


def leftovers(home: Path) -> list[str]:
    """Processes and mounts that still refer to a state directory; each as a line."""
    found = [f"mount {point}" for point in _mounts_below(home)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:  # it has ended meanwhile
            continue
        if os.fsencode(home) + b"/" in command and int(process.name) != os.getpid():
            found.append(f"process {process.name}: {os.fsdecode(command)[:200]}")
    return found


def _mounts_below(home: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4] for line in lines]
    return [point for point in points if point.startswith(f"{home}/")]


def discard(home: Path) -> None:
    """Remove a state directory; fails when something on the host still refers to it.

    What is left is reclaimed first, so that one test's litter does not fail the next one. A directory with mounts below
    it is never removed: behind a mount may stand a directory of the host.
    """
    found = leftovers(home)
    if found:
        with Lab(home) as lab:
            for record in lab.registry:
                lab.backend(record.variant.partition(":")[0]).reclaim(record)
    if not _mounts_below(home):
        shutil.rmtree(home)
    if found:
        pytest.fail("left on the host:\n" + "\n".join(found))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state directory, also that of every `isoscope` started by the test. Nothing may be left of it."""
    directory = state_directory()
    monkeypatch.setenv("ISOSCOPE_HOME", str(directory))
    yield directory
    discard(directory)


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """The state directory whose images and caches all tests of a session share; they are built when first needed."""
    directory = state_directory()
    for name in SHARED:
        (directory / name).mkdir()
    yield directory
    discard(directory)


@pytest.fixture
def stocked_home(home: Path, shared_home: Path) -> Path:
    """A state directory of the test's own, with the session's images and caches in it."""
    for name in SHARED:
        (home / name).symlink_to(shared_home / name)
    return home


@pytest.fixture
def lab(stocked_home: Path) -> Iterator[Lab]:
    """A lab whose images, disks and guest kernel are built once per session. Instances are the test's to delete."""
    with Lab(stocked_home) as lab:
        yield lab
