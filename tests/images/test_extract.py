"""The rules of layer.md, one by one, as overlayfs shows the result."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isoscope.core.errors import ImageError

pytestmark = pytest.mark.root

Apply = Callable[..., Path]


def test_files_keep_what_the_tar_says(make: Any, apply: Apply) -> None:
    layer = apply(
        make.tar(
            make.directory("bin", mode=0o755, uid=3, gid=4, mtime=11),
            make.file("bin/su", b"x", mode=0o4755, uid=70000, gid=5, pax_headers={"mtime": "123.000000456"}),
            make.file("bin/write", b"", mode=0o2711, gid=5),
            make.symlink("bin/sh", "/bin/su", uid=7, gid=8, mtime=22),
            make.directory("tmp", mode=0o1777),
            make.entry("fifo", tarfile.FIFOTYPE, mode=0o640, uid=1),
        )
    )
    su, sh, bin_ = (layer / "bin/su").stat(), (layer / "bin/sh").lstat(), (layer / "bin").stat()
    assert (stat.S_IMODE(su.st_mode), su.st_uid, su.st_gid, su.st_mtime_ns) == (0o4755, 70000, 5, 123_000_000_456)
    assert stat.S_IMODE((layer / "bin/write").stat().st_mode) == 0o2711
    assert (os.readlink(layer / "bin/sh"), sh.st_uid, sh.st_gid, sh.st_mtime) == ("/bin/su", 7, 8, 22)
    assert (bin_.st_uid, bin_.st_gid, bin_.st_mtime) == (3, 4, 11)  # although entries were added after it
    assert stat.S_IMODE((layer / "tmp").stat().st_mode) == 0o1777
    fifo = (layer / "fifo").stat()
    assert stat.S_ISFIFO(fifo.st_mode)
    assert (stat.S_IMODE(fifo.st_mode), fifo.st_uid) == (0o640, 1)


def test_modes_do_not_depend_on_the_umask(make: Any, apply: Apply) -> None:
    before = os.umask(0o077)
    try:
        layer = apply(make.tar(make.file("a/b/file", mode=0o666), make.directory("dir", mode=0o777)))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((layer / name).stat().st_mode) for name in ("", "a", "a/b", "a/b/file", "dir")]
    assert modes == [0o755, 0o755, 0o755, 0o666, 0o777]


def test_extended_attributes(make: Any, apply: Apply) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_raw, as setcap writes it
    binary = capability.decode("utf-8", "surrogateescape")
    layer = apply(
        make.tar(
            make.file(
                "ping", pax_headers={"SCHILY.xattr.security.capability": binary, "SCHILY.xattr.user.x": "\x00ÿ\n="}
            ),
            make.directory("dir", pax_headers={"SCHILY.xattr.user.d": "v", "SCHILY.xattr.trusted.t": "w"}),
            make.symlink("link", "nowhere", pax_headers={"SCHILY.xattr.trusted.l": "z"}),
        )
    )
    assert os.getxattr(layer / "ping", "security.capability") == capability
    assert os.getxattr(layer / "ping", "user.x") == "\x00ÿ\n=".encode()
    assert os.getxattr(layer / "dir", "user.d") == b"v"
    assert os.getxattr(layer / "dir", "trusted.t") == b"w"
    assert os.getxattr(layer / "link", "trusted.l", follow_symlinks=False) == b"z"


def test_hard_links_share_their_inode(make: Any, apply: Apply) -> None:
    layer = apply(
        make.tar(make.file("a/one", b"1"), make.hardlink("b/two", "a/one"), make.hardlink("three", "./b/two"))
    )
    assert len({(layer / name).stat().st_ino for name in ("a/one", "b/two", "three")}) == 1
    assert (layer / "three").read_bytes() == b"1"


def test_a_hard_link_to_a_symbolic_link_is_one_to_the_link_itself(make: Any, apply: Apply) -> None:
    layer = apply(make.tar(make.symlink("link", "/etc/passwd"), make.hardlink("again", "link")))
    assert os.readlink(layer / "again") == "/etc/passwd"


def test_a_whiteout_hides_what_is_below(make: Any, apply: Apply, merged: Any) -> None:
    lower = apply(make.tar(make.file("etc/gone"), make.file("etc/kept"), make.file("dir/a/b"), make.file("top")))
    upper = apply(make.tar(make.whiteout("etc/gone"), make.whiteout("dir"), make.whiteout("top")), lower)
    assert sorted(merged([lower, upper])) == ["etc", "etc/kept"]


def test_a_whiteout_alone_hides_nothing_and_shows_nowhere(make: Any, apply: Apply, merged: Any) -> None:
    assert sorted(merged([apply(make.tar(make.whiteout("a"), make.opaque("d"), make.file("d/x")))])) == ["d", "d/x"]


def test_a_whiteout_of_nothing_is_not_listed(make: Any, apply: Apply, merged: Any) -> None:
    """overlayfs lists the whiteouts of a directory that only one layer has."""
    lowest = apply(make.tar(make.file("kept/x"), make.file("dir/old"), make.file("opaque/sub/old")))
    upper = apply(
        make.tar(
            make.directory("fresh"),
            make.whiteout("fresh/nothing"),
            make.whiteout("implied/nothing"),
            make.whiteout("dir"),
            make.whiteout("dir/old"),
            make.file("dir/new"),
            make.directory("opaque"),
            make.directory("opaque/sub"),
            make.whiteout("opaque/sub/old"),
            make.opaque("opaque"),
            make.whiteout("kept/nothing"),
        ),
        lowest,
    )
    seen = merged([lowest, upper])
    assert sorted(seen) == ["dir", "dir/new", "fresh", "implied", "kept", "kept/x", "opaque", "opaque/sub"]


def test_what_a_link_in_between_hid_need_not_be_hidden(make: Any, apply: Apply, merged: Any) -> None:
    lowest = apply(make.tar(make.file("dir/sub/old")))
    middle = apply(make.tar(make.symlink("dir", "elsewhere")), lowest)
    members = [make.directory("dir"), make.whiteout("dir/sub"), make.whiteout("dir/old"), make.file("dir/implied/new")]
    upper = apply(make.tar(*members), lowest, middle)
    assert sorted(merged([lowest, middle, upper])) == ["dir", "dir/implied", "dir/implied/new"]


def test_marks_in_a_directory_that_a_file_replaces(make: Any, apply: Apply, merged: Any) -> None:
    lowest = apply(make.tar(make.file("a/x"), make.file("b/c/x")))
    marks = [make.whiteout("a/x"), make.file("a/new"), make.opaque("b/c"), make.directory("b/c/d", mode=0o700)]
    upper = apply(make.tar(*marks, make.file("a"), make.file("b"), make.file("last")), lowest)
    assert sorted(merged([lowest, upper])) == ["a", "b", "last"]
    again = apply(make.tar(*marks, make.file("a"), make.directory("a"), make.file("b"), make.directory("b")), lowest)
    assert sorted(merged([lowest, again])) == ["a", "b"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_whiteout_does_not_hide_its_own_layer(make: Any, apply: Apply, merged: Any, order: int) -> None:
    lower = apply(make.tar(make.file("dir/old"), make.file("file", b"old"), make.file("other/old")))
    members = [
        [make.whiteout("dir"), make.whiteout("file"), make.opaque("other")],
        [make.directory("dir"), make.file("dir/new"), make.file("file", b"new"), make.file("other/new")],
    ][::order]
    seen = merged([lower, apply(make.tar(*members[0], *members[1]), lower)])
    assert sorted(seen) == ["dir", "dir/new", "file", "other", "other/new"]
    assert bytes.fromhex(seen["file"]["data"]) == b"new"


def test_a_whiteout_followed_by_something_below_it(make: Any, apply: Apply, merged: Any) -> None:
    lower = apply(make.tar(make.file("dir/sub/old")))
    upper = apply(make.tar(make.whiteout("dir/sub"), make.file("dir/sub/new")), lower)
    assert sorted(merged([lower, upper])) == ["dir", "dir/sub", "dir/sub/new"]


def test_an_opaque_directory_hides_only_what_is_below(make: Any, apply: Apply, merged: Any) -> None:
    lower = apply(make.tar(make.file("dir/a"), make.file("dir/sub/b"), make.file("kept")))
    upper = apply(make.tar(make.directory("dir"), make.file("dir/new"), make.opaque("dir")), lower)
    assert sorted(merged([lower, upper])) == ["dir", "dir/new", "kept"]


def test_an_opaque_root_hides_everything_below(make: Any, apply: Apply, merged: Any) -> None:
    lowest = apply(make.tar(make.file("a/x"), make.file("b")))
    middle = apply(make.tar(make.file("c")), lowest)
    upper = apply(make.tar(make.opaque(""), make.file("a/y")), lowest, middle)
    assert sorted(merged([lowest, middle, upper])) == ["a", "a/y"]


def test_a_file_replaces_a_directory_and_the_reverse(make: Any, apply: Apply, merged: Any) -> None:
    lower = apply(make.tar(make.file("was-dir/x"), make.file("was-file"), make.file("was-link/x")))
    upper = apply(
        make.tar(
            make.file("was-dir"), make.directory("was-file"), make.file("was-file/y"), make.symlink("was-link", "x")
        ),
        lower,
    )
    assert sorted(merged([lower, upper])) == ["was-dir", "was-file", "was-file/y", "was-link"]


def test_within_a_layer_the_later_entry_wins(make: Any, apply: Apply, merged: Any) -> None:
    lower = apply(make.tar(make.file("b/hidden")))
    layer = apply(
        make.tar(
            make.file("a/x", b"1"),
            make.file("a/x", b"2", mode=0o600),
            make.file("b", b"file"),
            make.directory("b"),
            make.file("c/deep/er"),
            make.file("c", b"file"),
            make.symlink("d", "/nowhere"),
            make.file("d", b"no longer a link"),
            make.directory("e", mode=0o700),
            make.file("e/kept"),
            make.directory("e", mode=0o711),
        ),
        lower,
    )
    seen = merged([lower, layer])
    assert sorted(seen) == ["a", "a/x", "b", "c", "d", "e", "e/kept"]
    assert (bytes.fromhex(seen["a/x"]["data"]), seen["a/x"]["mode"]) == (b"2", 0o600)
    assert seen["d"]["target"] is None
    assert seen["e"]["mode"] == 0o711


def test_directories_without_an_entry_are_like_those_below(make: Any, apply: Apply, merged: Any) -> None:
    lowest = apply(make.tar(make.directory("srv", mode=0o700, uid=9, gid=10, mtime=5), make.file("srv/www/x")))
    middle = apply(make.tar(make.file("other")), lowest)
    upper = apply(make.tar(make.file("srv/new"), make.file("fresh/new")), lowest, middle)
    seen = merged([lowest, middle, upper])
    assert (seen["srv"]["mode"], seen["srv"]["owner"], seen["srv"]["mtime"]) == (0o700, [9, 10], 5_000_000_000)
    assert (seen["fresh"]["mode"], seen["fresh"]["owner"]) == (0o755, [0, 0])
    assert "srv/www/x" in seen


def test_a_directory_hidden_in_between_lends_nothing(make: Any, apply: Apply) -> None:
    lowest = apply(make.tar(make.directory("srv", mode=0o700)))
    middle = apply(make.tar(make.whiteout("srv")), lowest)
    upper = apply(make.tar(make.file("srv/new")), lowest, middle)
    assert stat.S_IMODE((upper / "srv").stat().st_mode) == 0o755


def test_a_directory_below_an_opaque_one_is_like_none_further_down(make: Any, apply: Apply) -> None:
    lowest = apply(make.tar(make.directory("srv"), make.directory("srv/www", mode=0o700)))
    middle = apply(make.tar(make.opaque("srv")), lowest)
    upper = apply(make.tar(make.file("srv/www/new")), lowest, middle)
    assert stat.S_IMODE((upper / "srv/www").stat().st_mode) == 0o755


def test_marks_of_aufs_are_passed_over(make: Any, apply: Apply) -> None:
    layer = apply(make.tar(make.directory(".wh..wh.plnk"), make.file(".wh..wh.aufs", b""), make.file("a")))
    assert os.listdir(layer) == ["a"]


def test_the_root_may_be_described(make: Any, apply: Apply) -> None:
    layer = apply(make.tar(make.directory("./", mode=0o711, uid=5), make.file("./a")))
    assert (stat.S_IMODE(layer.stat().st_mode), layer.stat().st_uid) == (0o711, 5)


@pytest.mark.parametrize("dialect", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(make: Any, apply: Apply, dialect: int) -> None:
    path = "/".join(["d" * 200] * 5) + "/" + "n" * 255
    layer = apply(make.tar(make.file(path, b"deep"), make.symlink("l", "t" * 300), dialect=dialect))
    assert (layer / path).read_bytes() == b"deep"
    assert len(os.readlink(layer / "l")) == 300


def test_names_that_are_no_utf8(make: Any, apply: Apply) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    layer = apply(make.tar(make.file(name), dialect=tarfile.GNU_FORMAT))
    assert os.listdir(os.fsencode(layer)) == [b"caf\xe9"]


@pytest.mark.parametrize("mtime", ["nan", "inf", "-inf", "1e99999999", "x"])
def test_times_that_are_none(make: Any, apply: Apply, mtime: str) -> None:
    with pytest.raises(ImageError, match="modification time"):
        apply(make.tar(make.file("a", pax_headers={"mtime": mtime})))


def test_times_before_1970(make: Any, apply: Apply) -> None:
    layer = apply(make.tar(make.file("a", pax_headers={"mtime": "-1.5"})))
    assert (layer / "a").stat().st_mtime_ns == -1_500_000_000
