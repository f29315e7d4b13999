"""Host directories on their way into a guest. What belongs to the user must not come to harm, whatever fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from isoscope.backends.launcher import linux, syscalls
from isoscope.backends.vm import shares
from isoscope.core.errors import BackendUnavailable, HostError, Unsupported
from isoscope.core.workload import Mount

pytestmark = pytest.mark.root


@pytest.fixture
def treasure(tmp_path: Path) -> Path:
    """A directory of the user's, in which there is what might be taken for ours."""
    directory = tmp_path / "treasure"
    (directory / "directory").mkdir(parents=True)
    (directory / "file").touch()
    (directory / "gold").write_text("gold")
    return directory


@pytest.fixture
def parent(home: Path) -> Iterator[Path]:
    parent = home / "vm" / "x" / "shares"
    yield parent
    shares.release(parent)


def mounted(below: Path) -> list[str]:
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [place for place in places if place.startswith(f"{below}/")]


def test_what_is_shared_is_seen_and_let_go(treasure, parent):
    planned = shares.plan(
        (
            Mount(treasure / "gold", PurePosixPath("/in/deep/gold"), read_only=True),
            Mount(treasure, PurePosixPath("/in")),
        ),
        parent,
    )
    assert [share.terms for share in planned] == ["share0:rw:directory:/in", "share1:ro:file:/in/deep/gold"]
    for share in planned:
        shares.bind(share)
    assert (planned[0].directory / "gold").read_text() == "gold"
    (planned[0].directory / "new").touch()
    assert (planned[1].directory / "file").read_text() == "gold"
    with pytest.raises(OSError, match="Read-only"):
        (planned[1].directory / "file").write_text("lead")
    shares.release(parent)
    shares.release(parent)
    assert not parent.exists()
    assert mounted(parent) == []
    assert sorted(os.listdir(treasure)) == ["directory", "file", "gold", "new"]
    assert (treasure / "gold").read_text() == "gold"


def test_what_cannot_be_unmounted_is_left_alone(treasure, parent, monkeypatch):
    planned = shares.plan((Mount(treasure, PurePosixPath("/a")), Mount(treasure / "file", PurePosixPath("/b"))), parent)
    for share in planned:
        shares.bind(share)
    with monkeypatch.context() as patched:
        patched.setattr(shares, "_unmount", lambda place: None)
        shares.release(parent)
    assert sorted(os.listdir(treasure)) == ["directory", "file", "gold"]
    assert len(mounted(parent)) == 2


def test_no_link_leads_unmounting_elsewhere(treasure, parent, home):
    """Whoever can write into a share can put a link where one of ours might be expected."""
    elsewhere = home / "elsewhere"
    elsewhere.mkdir()
    syscalls.mount("tmpfs", str(elsewhere), "tmpfs", 0)
    try:
        [share] = shares.plan((Mount(treasure / "file", PurePosixPath("/b")),), parent)
        share.directory.mkdir(parents=True)
        (share.directory / "file").symlink_to(elsewhere)
        shares.release(parent)
        assert mounted(home) == [str(elsewhere)]
    finally:
        syscalls.umount2(str(elsewhere), linux.MNT_DETACH)


def test_a_source_that_has_gone_is_told(treasure, parent):
    [share] = shares.plan((Mount(treasure / "gone", PurePosixPath("/in")),), parent)
    with pytest.raises(HostError, match="gone"):
        shares.bind(share)
    shares.release(parent)
    assert not parent.exists()


def test_what_a_machine_cannot_have_is_refused(treasure, monkeypatch):
    mounts = tuple(Mount(treasure, PurePosixPath(f"/{n}")) for n in range(25))
    shares.check(mounts[:24])
    with pytest.raises(Unsupported):
        shares.check(mounts)
    monkeypatch.setattr(shares, "_SERVERS", ("/nowhere",))
    shares.check(())
    with pytest.raises(BackendUnavailable) as raised:
        shares.check(mounts[:1])
    assert "virtiofsd" in raised.value.hint
