"""A pytest plugin for authors of backends: `pytest -p isoscope.testing.fixtures`, or `pytest_plugins` in a conftest.py.

Images are dear to build. They are built once for a session, or once for all if `ISOSCOPE_TESTING_HOME` names a
directory to keep them in.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from isoscope.core import Lab, settings
from isoscope.testing.fake import FakePlugin, lab_with
from isoscope.testing.host import KEPT, HostWatch

pytest.register_assert_rewrite("isoscope.testing.conformance")


@contextmanager
def state_directory() -> Iterator[Path]:
    """An empty state directory, with a path short enough for the Unix sockets below it. It goes at the end."""
    home = Path(tempfile.mkdtemp(prefix="iso-", dir="/tmp"))
    try:
        yield home
    finally:
        if not any(f" {home}/" in line for line in Path("/proc/self/mountinfo").read_text().splitlines()):
            shutil.rmtree(home)  # never through a mount: behind it may stand a directory of the host


@pytest.fixture(scope="session")
def shared_home() -> Iterator[Path]:
    """The state directory that keeps images and backends' caches for all tests of a session."""
    if kept := settings.TESTING_HOME.read():
        yield Path(kept)
        return
    with state_directory() as home:
        yield home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, shared_home: Path) -> Iterator[Path]:
    """A state directory of the test's own, which sees the session's images. `ISOSCOPE_HOME` names it.

    The test fails if anything that belongs to it is left on the host.
    """
    with state_directory() as directory:
        for name in KEPT:
            (shared_home / name).mkdir(exist_ok=True)
            (directory / name).symlink_to(shared_home / name)
        monkeypatch.setenv("ISOSCOPE_HOME", str(directory))
        with HostWatch(directory) as watch:
            yield directory
            left = watch.difference()
        if left:
            pytest.fail("left on the host:\n" + "\n".join(left), pytrace=False)


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    """A lab with every installed plugin. Its instances are the test's to delete; what they share is swept."""
    with Lab(home) as lab:
        yield lab
        lab.gc()


@pytest.fixture
def fake() -> FakePlugin:
    """The strings of the fake backend of `fake_lab`."""
    return FakePlugin()


@pytest.fixture
def fake_lab(home: Path, fake: FakePlugin) -> Iterator[Lab]:
    """A lab with the fake backend, `fake`, and nothing else."""
    with lab_with(home, fake) as lab:
        yield lab
        lab.gc()
