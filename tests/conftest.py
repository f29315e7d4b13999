"""What all tests share: state directories, stocked images, and the check that nothing of ours is left on the host."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isoscope.core import Lab
from isoscope.testing.fixtures import state_directory
from isoscope.testing.host import KEPT, HostSnapshot, HostWatch


def pytest_configure() -> None:
    """Whoever starts tests in the background may have them ignore SIGINT, and so every program that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")


@contextmanager
def watched_directory() -> Iterator[Path]:
    """A state directory of which nothing may be left on the host in the end, but for files in the directory itself."""
    with state_directory() as home, HostWatch(home) as watch:
        yield home
        found = [line for line in watch.difference() if not line.startswith(_of_no_concern(home))]
        if found:
            found += _reclaim(home)
            pytest.fail("left on the host:\n" + "\n".join(found), pytrace=False)


def _of_no_concern(home: Path) -> tuple[str, ...]:
    """Beginnings of lines about files that go with the directory; records of instances are not among them."""
    return tuple(f"new file: {home}/{name}" for name in os.listdir(home) if name not in ("instances", "names", *KEPT))


def _reclaim(home: Path) -> Iterator[str]:
    """Remove what a failed test left, so that it fails alone. Yields a line for each thing that cannot be removed."""
    with Lab(home) as lab:
        backends = [(record.variant.partition(":")[0], record) for record in lab.registry]
        for name, record in [*backends, *((name, None) for name in lab.backend_names)]:
            try:
                backend = lab.backend(name)
                backend.sweep([]) if record is None else backend.reclaim(record)
            except Exception as error:
                yield f"backend {name} cannot clean up: {error}"


@pytest.fixture(scope="session", autouse=True)
def unchanged_host() -> Iterator[None]:
    """After all tests nothing new on the host carries our name, whosever state directory it was in.

    While other tests run on the same host, nobody can tell what is whose; then only the fixture `home` looks.
    """
    with open(Path(tempfile.gettempdir()) / "isoscope-tests.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        before = HostSnapshot.take()
        yield
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        found = [line for line in before.difference(HostSnapshot.take()) if line.startswith("new ")]
        if found:
            pytest.fail("all tests together left on the host:\n" + "\n".join(found), pytrace=False)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty state directory, also that of every `isoscope` started by the test. Nothing may be left of it."""
    with watched_directory() as directory:
        monkeypatch.setenv("ISOSCOPE_HOME", str(directory))
        yield directory


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """The state directory whose images and caches all tests of a session share; they are built when first needed."""
    with watched_directory() as directory:
        for name in KEPT:
            (directory / name).mkdir()
        yield directory


@pytest.fixture
def stocked_home(home: Path, shared_home: Path) -> Path:
    """A state directory of the test's own, with the session's images and caches in it."""
    for name in KEPT:
        (home / name).symlink_to(shared_home / name)
    return home


@pytest.fixture
def lab(stocked_home: Path) -> Iterator[Lab]:
    """A lab whose images, disks and guest kernel are built once per session. Instances are the test's to delete."""
    with Lab(stocked_home) as lab:
        yield lab
        lab.gc()  # what instances share, such as the bridge, outlives them
