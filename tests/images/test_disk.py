"""A virtual machine's disk holds what the containers' overlay shows."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from isoscope.core.errors import HostError
from isoscope.core.rootfs import Rootfs
from isoscope.images.disk import disk_image, disk_path
from isoscope.images.store import Store

pytestmark = pytest.mark.root


@contextmanager
def mounted(disk: Path, at: Path) -> Iterator[Path]:
    at.mkdir()
    subprocess.run(["mount", "-o", "loop,ro,noload", disk, at], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=True)
        at.rmdir()


@pytest.fixture
def stacked(make: Any, store: Store, tmp_path: Path) -> Rootfs:
    capability = bytes.fromhex("0100000200040000000000000000000000000000").decode()
    lower = make.tar(
        make.directory("./", mode=0o711, uid=3, gid=4, mtime=77),
        make.file("bin/su", b"#!" + bytes(10_000), mode=0o4755, uid=70000, gid=5, mtime=1234),
        make.file("bin/ping", pax_headers={"SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.x": "y"}),
        make.directory("tmp", mode=0o1777, mtime=99),
        make.symlink("sh", "bin/su", uid=6),
        make.symlink("long", "x" * 200),
        make.file("gone"),
        make.file("opaque/old"),
        make.file("dir/was"),
    )
    upper = make.tar(
        make.directory("./", mode=0o711, uid=3, gid=4, mtime=77),
        make.whiteout("gone"),
        make.opaque("opaque"),
        make.file("opaque/new"),
        make.file("dir", b"now a file"),
        make.file("hard", b"link"),
        make.hardlink("link", "hard"),
    )
    store.load(make.layout(tmp_path / "source", lower, upper))
    return store.rootfs("test")


def test_the_disk_is_the_merged_tree(
    stacked: Rootfs, home: Path, merged: Any, snapshot_of: Callable[[Path], Any], tmp_path: Path
) -> None:
    disk = disk_image(stacked, home)
    with mounted(disk, tmp_path / "mnt") as root:
        assert snapshot_of(root) == merged(stacked.layers)
        status = root.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime) == (0o711, 3, 4, 77)
    assert sorted(merged(stacked.layers)) == sorted(
        ["bin", "bin/su", "bin/ping", "tmp", "sh", "long", "opaque", "opaque/new", "dir", "hard", "link"]
    )


def test_the_disk_is_sound_sparse_and_read_only(stacked: Rootfs, home: Path) -> None:
    disk = disk_image(stacked, home)
    status = disk.stat()
    assert stat.S_IMODE(status.st_mode) == 0o444
    assert status.st_size >= 32 << 30
    assert status.st_blocks * 512 < 4 << 20
    subprocess.run(["e2fsck", "-fn", disk], check=True, capture_output=True)


def test_the_disk_has_room(stacked: Rootfs, home: Path, tmp_path: Path) -> None:
    with mounted(disk_image(stacked, home), tmp_path / "mnt") as root:
        free = os.statvfs(root)
        assert free.f_bavail * free.f_frsize > 0.9 * (32 << 30)
        assert free.f_favail > 50_000


def test_it_is_made_once(stacked: Rootfs, home: Path) -> None:
    disk = disk_image(stacked, home)
    made = disk.stat()
    assert disk_image(stacked, home) == disk
    assert (disk.stat().st_ino, disk.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


def test_a_bundle_of_one_directory(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle/file").write_text("bundled")
    os.mknod(tmp_path / "bundle/whiteout", stat.S_IFCHR, os.makedev(0, 0))
    disk = disk_image(Rootfs("../../my bundle", (tmp_path / "bundle",)), home)
    assert disk.parent == home / "cache/disks"
    with mounted(disk, tmp_path / "mnt") as root:
        assert os.listdir(root) == ["file"]


def test_paths_that_an_option_string_would_not_take(home: Path, tmp_path: Path) -> None:
    layer = tmp_path / "with:colon,comma \\backslash"
    layer.mkdir()
    (layer / "file").touch()
    with mounted(disk_image(Rootfs("odd", (layer,)), home), tmp_path / "mnt") as root:
        assert os.listdir(root) == ["file"]


def test_a_tree_that_grew_big(home: Path, tmp_path: Path) -> None:
    """Many small files, and a directory of many entries."""
    layer = tmp_path / "layer"
    layer.mkdir()
    for number in range(5000):
        (layer / f"{number:05}").write_bytes(b"x")
    disk = disk_image(Rootfs("many", (layer,)), home)
    with mounted(disk, tmp_path / "mnt") as root:
        assert len(os.listdir(root)) == 5000
    subprocess.run(["e2fsck", "-fn", disk], check=True, capture_output=True)


def test_digests_do_not_meet() -> None:
    home, hexadecimal = Path("/h"), "a" * 64
    paths = {
        disk_path(d, home) for d in (f"sha256:{hexadecimal}", f"sha256-{hexadecimal}", hexadecimal, "", "/etc", "..")
    }
    assert len(paths) == 6
    assert {path.parent for path in paths} == {home / "cache/disks"}


def test_what_is_missing_is_said(stacked: Rootfs, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoscope.images.disk.shutil.which", lambda *_args, **_kwargs: None)
    with pytest.raises(HostError, match="mke2fs is missing") as caught:
        disk_image(stacked, home)
    assert "e2fsprogs" in caught.value.hint
    assert not list((home / "cache/disks").glob("*.ext4"))


def test_layers_that_are_not_there(home: Path, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot be stacked"):
        disk_image(Rootfs("lost", (tmp_path / "lost",)), home)


def test_our_mount_is_seen_by_nobody(home: Path, stacked: Rootfs, tmp_path: Path) -> None:
    """Neither by the caller, even where mounts propagate, as systemd has it (mount_namespaces(7))."""
    fake = f"#!/bin/sh\ncat /proc/self/mountinfo /proc/$PPID/mountinfo > {tmp_path}/seen; exit 1"
    (tmp_path / "mke2fs").write_text(fake)
    (tmp_path / "mke2fs").chmod(0o755)
    program = (
        "import sys; from pathlib import Path; from isoscope.core.rootfs import Rootfs\n"
        "from isoscope.images.disk import disk_image\n"
        "disk_image(Rootfs('x', tuple(map(Path, sys.argv[2:]))), Path(sys.argv[1]))"
    )
    command = ["unshare", "--mount", "--propagation=shared", sys.executable, "-c", program, home, *stacked.layers]
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "mke2fs: status 1" in done.stderr
    ours = [line for line in (tmp_path / "seen").read_text().splitlines() if str(home) in line]
    assert len(ours) == 1  # in the namespace of mke2fs alone
    assert " - overlay isoscope ro," in ours[0]
