"""Looking whether a file is in memory, and making the kernel forget it."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from isoscope.benchmarks.disk import caches
from isoscope.benchmarks.disk.durability import native_flush, unflushed
from isoscope.core.errors import WorkloadFailed

SIZE = 3 << 20

pytestmark = pytest.mark.root


@pytest.fixture
def file(home: Path) -> Path:
    """Of the size, written and flushed, and in memory."""
    path = home / "file"
    with path.open("wb") as opened:
        opened.write(os.urandom(SIZE))
        opened.flush()
        os.fsync(opened.fileno())
    return path


@contextmanager
def held(file: Path) -> Iterator[None]:
    """What is mapped stays in memory, whoever drops the host's caches meanwhile."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) >= 0  # looks at every page
        yield


@pytest.fixture(params=["cachestat", "mincore"])
def way(request, monkeypatch):
    if request.param == "mincore":
        monkeypatch.setattr(caches, "_CACHESTAT", 0xFFFF)  # no such system call
    return request.param


def test_what_is_in_memory_is_seen_and_what_was_dropped_is_not(file, way):
    with held(file):
        assert caches.cached(file).resident == SIZE
    assert caches.drop(SimpleNamespace(backing=lambda _: file), "/f", SIZE, own_kernel=False) == ""
    assert caches.cached(file).resident == 0


def test_a_file_larger_than_a_window_is_seen_whole(file, monkeypatch):
    monkeypatch.setattr(caches, "_CACHESTAT", 0xFFFF)
    monkeypatch.setattr(caches, "_WINDOW", 1 << 20)
    with held(file):
        assert caches.cached(file).resident == SIZE


def test_what_is_not_on_the_disk_yet_is_dirty(file):
    if caches.cached(file).dirty is None:
        assert unflushed(file, 1) is None  # Linux before 6.5
        return
    assert caches.cached(file).dirty == 0
    with file.open("r+b") as opened:
        opened.write(bytes(1 << 20))
        opened.flush()
        assert unflushed(file, 10_000) == 1.0
        os.fdatasync(opened.fileno())
    assert unflushed(file, 10_000) == 0.0


def test_what_cannot_be_told_is_not_made_up(tmp_path):
    assert unflushed(None, 100) is None
    assert unflushed(tmp_path / "missing", 100) is None
    assert unflushed(tmp_path, 0) is None


def test_a_file_that_stays_in_memory_is_told(file, monkeypatch):
    monkeypatch.setattr(caches, "_DROP", Path(os.devnull))
    with held(file):
        told = caches.drop(SimpleNamespace(backing=lambda _: file), "/f", SIZE, own_kernel=False)
    assert told == f"the host keeps {SIZE} bytes of it in memory"


@pytest.mark.parametrize(
    ("place", "words"), [("/proc/version", "only root"), ("/proc/no/such", "cannot be dropped: No such file")]
)
def test_caches_that_cannot_be_dropped_are_told(monkeypatch, place, words):
    monkeypatch.setattr(caches, "_DROP", Path(place))
    if place == "/proc/version":
        monkeypatch.setattr(Path, "write_text", lambda *_: (_ for _ in ()).throw(PermissionError()))
    assert words in caches.drop(SimpleNamespace(backing=lambda _: None), "/f", SIZE, own_kernel=False)


def test_a_backend_that_names_no_file_is_told():
    assert "does not say" in caches.drop(SimpleNamespace(backing=lambda _: None), "/f", SIZE, own_kernel=False)


def test_a_guest_that_keeps_files_is_told(monkeypatch):
    monkeypatch.setattr(caches, "run_inside", lambda *_, **__: "Cached: 40000 kB\nBuffers: 8 kB\nShmem: 1000 kB\n")
    assert (
        caches._drop_inside(SimpleNamespace(), 64 << 20) == f"the guest keeps {39008 * 1024} bytes of files in memory"
    )


def test_a_guest_that_cannot_drop_them_is_told(monkeypatch):
    def run_inside(*_, **__):
        raise WorkloadFailed("no")

    monkeypatch.setattr(caches, "run_inside", run_inside)
    assert caches._drop_inside(SimpleNamespace(), 64 << 20) == "the guest's caches cannot be dropped: no"


def test_the_hosts_own_flush_takes_time_and_leaves_nothing(home):
    before = sorted(home.iterdir())
    assert native_flush(home) > 0
    assert sorted(home.iterdir()) == before
