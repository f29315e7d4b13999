"""Layers that mean harm. Each is refused with an error that names the offence, and nothing outside is touched."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isoscope.core.errors import ImageError
from isoscope.images.compression import Uncompressed
from isoscope.images.extract import extract
from isoscope.images.hashing import Hashed
from isoscope.images.limits import LIMITS
from isoscope.images.store import Store
from isoscope.images.tarstream import entries

pytestmark = pytest.mark.root

Apply = Callable[..., Path]
SMALL = replace(LIMITS, bytes=1 << 20, entries=50, header_bytes=1 << 16, ratio_floor=1 << 16, ratio=20)


def _attacks(make: Any, victim: str) -> dict[str, tuple[str, list[Any]]]:
    """What each attack is called, what the error must say, and its entries. `victim` is a directory of the host."""
    up = "../" * 12 + victim.lstrip("/")
    return {
        "dotdot": ("`..`", [make.file(f"{up}/x")]),
        "dotdot inside": ("`..`", [make.file(f"a/{up}/x")]),
        "dotdot directory": ("`..`", [make.directory("..")]),
        "absolute": ("absolute", [make.file(f"{victim}/x")]),
        "absolute symlink parent": ("symbolic link", [make.symlink("evil", victim), make.file("evil/x")]),
        "relative symlink parent": ("symbolic link", [make.symlink("evil", up), make.file("evil/x")]),
        "symlink chain": (
            "symbolic link",
            [make.symlink("a", "b"), make.symlink("b", victim), make.file("a/x")],
        ),
        "symlink replaces parent": (
            "symbolic link",
            [make.directory("d"), make.file("d/y"), make.symlink("d", victim), make.file("d/x")],
        ),
        "symlink parent of a directory": ("symbolic link", [make.symlink("evil", victim), make.directory("evil/x")]),
        "symlink parent of a whiteout": ("symbolic link", [make.symlink("evil", victim), make.whiteout("evil/x")]),
        "symlink parent of an opaque mark": ("symbolic link", [make.symlink("evil", victim), make.opaque("evil")]),
        "hard link outside": ("`..`", [make.hardlink("x", f"{up}/secret")]),
        "hard link absolute": ("absolute", [make.hardlink("x", f"{victim}/secret")]),
        "hard link through symlink": (
            "symbolic link",
            [make.symlink("evil", victim), make.hardlink("x", "evil/secret")],
        ),
        "hard link to nothing": ("which the layer lacks", [make.hardlink("x", "nothing")]),
        "hard link to a directory": ("which is no file", [make.directory("d"), make.hardlink("x", "d")]),
        "hard link to the root": ("which the layer lacks", [make.hardlink("x", ".")]),
        "hard link to a whiteout": ("which the layer lacks", [make.whiteout("d"), make.hardlink("x", "d")]),
        "hard link below itself": ("below itself", [make.file("x/y"), make.hardlink("x", "x/y")]),
        "hard link in place of a parent": ("no directory", [make.file("f"), make.hardlink("x", "f"), make.file("x/y")]),
        "block device": ("device node", [make.entry("sda", tarfile.BLKTYPE, devmajor=8)]),
        "character device": ("device node", [make.entry("mem", tarfile.CHRTYPE, devmajor=1, devminor=1)]),
        "whiteout as a device": ("device node", [make.entry("x", tarfile.CHRTYPE)]),
        "whiteout of nothing": ("no name", [make.file(".wh.")]),
        "whiteout of dot": ("no name", [make.file(".wh..")]),
        "whiteout of dotdot": ("no name", [make.file("d/.wh...")]),
        "below a whiteout": ("below a whiteout", [make.file(".wh.d/x")]),
        "file as parent": ("no directory", [make.file("f"), make.file("f/x")]),
        "root is a file": ("not a directory", [make.file("./")]),
        "overlay redirect": (
            "steers overlayfs",
            [make.directory("d", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/"})],
        ),
        "overlay opaque": (
            "steers overlayfs",
            [make.directory("d", pax_headers={"SCHILY.xattr.user.overlay.opaque": "y"})],
        ),
        "no owner": ("owner", [make.file("f", pax_headers={"uid": "4294967295"})]),
        "negative owner": ("owner", [make.file("f", pax_headers={"gid": "-1"})]),
        "NUL": ("NUL", [make.file("f", pax_headers={"path": "a\0b"})]),
        "deep": ("deeper", [make.directory("/".join(["d"] * 300))]),
        "long": ("longer", [make.file("/".join(["d" * 250] * 20))]),
        "long component": ("cannot be made", [make.file("d" * 300)]),
        "unknown type": ("unknown type", [make.entry("f", b"Z")]),
        "too many": ("more than 50 entries", [make.file(f"f{n}") for n in range(60)]),
        "too large": ("endless", [make.file("f", bytes(2 << 20))]),
        "large in sum": ("endless", [make.file(f"f{n}", bytes(300_000)) for n in range(5)]),
        "giant header": ("endless header", [make.file("f", pax_headers={"comment": "x" * (1 << 18)})]),
    }


ATTACKS = tuple(_attacks(MagicMock(), "/x"))


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_refused(make: Any, apply: Apply, tmp_path: Path, attack: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "secret").write_text("secret")
    says, members = _attacks(make, str(victim))[attack]
    with pytest.raises(ImageError) as caught:
        apply(make.tar(*members), limits=SMALL)
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert os.listdir(victim) == ["secret"]
    assert (victim / "secret").stat().st_nlink == 1


@pytest.mark.parametrize("attack", [name for name in ATTACKS if not name.startswith(("too", "large", "giant"))])
def test_the_store_stays_as_it_was(make: Any, store: Store, contents: Any, tmp_path: Path, attack: str) -> None:
    store.load(make.layout(tmp_path / "good", make.tar(make.file("a")), names=["good"]))
    before = contents(store.home)
    members = _attacks(make, "/nowhere")[attack][1]
    source = make.layout(tmp_path / "bad", make.tar(make.file("first")), make.tar(*members), names=["good", "bad"])
    with pytest.raises(ImageError):
        store.load(source)
    assert contents(store.home) == before


def test_a_symbolic_link_of_a_layer_below_is_not_followed(make: Any, apply: Apply) -> None:
    lower = apply(make.tar(make.symlink("lib", "usr/lib")))
    with pytest.raises(ImageError, match="symbolic link in a layer below"):
        apply(make.tar(make.file("lib/x")), lower)


def test_a_whiteout_of_an_endless_name_is_the_layers_fault(make: Any, apply: Apply) -> None:
    with pytest.raises(ImageError, match=r"malformed.*File name too long"):
        apply(make.tar(make.whiteout("x" * 300)))


def test_a_hard_link_to_nothing_in_an_archive_of_images(make: Any, store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(make.tar(make.hardlink("manifest.json", "")))
    with pytest.raises(ImageError):
        store.load(tmp_path / "a.tar")


def test_a_file_without_end_is_refused_at_its_header(make: Any, apply: Apply) -> None:
    info = tarfile.TarInfo("endless")
    info.size = 1 << 60
    with pytest.raises(ImageError, match="endless"):
        apply(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


class _Zeros:
    """A stream without end."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1, /) -> bytes:
        self.given += size
        return bytes(size)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_without_end_does_not_fill_the_memory(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 1 << 40
    head, zeros = io.BytesIO(info.tobuf(tarfile.GNU_FORMAT)), _Zeros()

    class Stream:
        def read(self, size: int = -1, /) -> bytes:
            return head.read(size) or zeros.read(size)

    with pytest.raises(ImageError, match="endless header"):
        extract(entries(Stream(), "layer"), tmp_path, "layer")
    assert zeros.given < 4 << 20


def test_headers_piled_upon_headers(apply: Apply, make: Any) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 0
    with pytest.raises(ImageError):
        apply(info.tobuf(tarfile.USTAR_FORMAT) * 5000)


@pytest.mark.parametrize("cut", [0, 100])
def test_a_broken_header_is_not_the_end(make: Any, apply: Apply, cut: int) -> None:
    """tarfile would stop there, and be content."""
    one, two = make.tar(make.file("one"))[:1024], bytearray(make.tar(make.file("two")))
    stream = one + bytes(two[: 512 - cut]) if cut else one + b"!" + bytes(two[1:])
    with pytest.raises(ImageError, match="damaged: broken tar header"):
        apply(stream)


def test_sparse_files_are_refused(apply: Apply, make: Any) -> None:
    with pytest.raises(ImageError, match="sparse"):
        apply(make.tar(make.file("f", b"", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": "4096"})))


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_a_compression_bomb_is_refused_early(make: Any, tmp_path: Path, how: str) -> None:
    bomb = make.compress(make.tar(make.file("zeros", bytes(64 << 20))), how)
    raw = Hashed(io.BytesIO(bomb))
    limits = replace(LIMITS, ratio_floor=1 << 20)
    plain = Uncompressed(raw, "layer", limits)
    with pytest.raises(ImageError, match="compression bomb"):
        extract(entries(plain, "layer", limits), tmp_path, "layer", limits=limits)
    assert plain.count < 32 << 20


def test_a_bomb_behind_the_end_of_the_archive(make: Any, apply: Apply) -> None:
    stream = Uncompressed(Hashed(io.BytesIO(make.tar(make.file("a")) + bytes(2 << 20))), "layer", SMALL)
    with pytest.raises(ImageError, match="endless: it has more than"):
        list(entries(stream, "layer", SMALL))


@given(st.binary(max_size=4096))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_is_an_image_error_or_nothing(data: bytes) -> None:
    _walk(data)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_a_tar_with_flipped_bytes_is_an_image_error_or_nothing(make: Any, data: st.DataObject) -> None:
    stream = bytearray(
        make.tar(
            make.directory("d"),
            make.file("d/f", b"x" * 700, pax_headers={"SCHILY.xattr.user.a": "b", "mtime": "1.5"}),
            make.hardlink("h", "d/f"),
            make.symlink("s" * 120, "t" * 120),
        )
    )
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(stream) - 1))
        stream[place] = data.draw(st.integers(0, 255))
    _walk(bytes(stream))


def _walk(data: bytes) -> None:
    with suppress(ImageError):
        for entry in entries(Uncompressed(Hashed(io.BytesIO(data)), "layer", SMALL), "layer", SMALL):
            while entry.content is not None and entry.content.read(1 << 16):
                pass
