"""Taking a kernel out of its bzImage."""

from __future__ import annotations

import gzip
import lzma
import struct

import lz4.block
import pytest
import zstandard
from isoscope.core.errors import HostError
from isoscope.images.guest.vmlinux import extract, has_pvh_entry

KERNEL = b"\x7fELF\x02" + bytes(range(256)) * 40_000  # more than one block of lz4's


def lz4_legacy(data: bytes) -> bytes:
    pieces = [data[at : at + (8 << 20)] for at in range(0, len(data), 8 << 20)]
    blocks = [lz4.block.compress(piece, store_size=False) for piece in pieces]
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(block)) + block for block in blocks)


def bzimage(payload: bytes, setup_sects: int = 3) -> bytes:
    """A boot sector, setup code, and the protected-mode code in which the payload stands at some offset."""
    payload += struct.pack("<I", len(KERNEL))
    header = bytearray(512 * ((setup_sects or 4) + 1))
    header[0x1F1] = setup_sects
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", header, 0x248, 777, len(payload))
    return bytes(header) + b"\xcc" * 777 + payload + b"\xcc" * 99


@pytest.mark.parametrize(
    "compress",
    [lz4_legacy, zstandard.ZstdCompressor().compress, lzma.compress, gzip.compress],
    ids=["lz4", "zstd", "xz", "gzip"],
)
def test_every_compression_is_undone(compress):
    assert extract(bzimage(compress(KERNEL))) == KERNEL


def test_no_setup_sectors_mean_four():
    assert extract(bzimage(gzip.compress(KERNEL), setup_sects=0)) == KERNEL


@pytest.mark.parametrize(
    "image", [b"", b"MZ" + bytes(5000), bzimage(b"LZO?" + bytes(50))], ids=["empty", "other", "lzo"]
)
def test_what_is_no_kernel_of_a_known_form_is_refused(image):
    with pytest.raises(HostError) as raised:
        extract(image)
    assert raised.value.hint


def elf_with_note(owner: bytes, kind: int) -> bytes:
    first = struct.pack("<III", 5, 3, 1) + b"Abcd\0\0\0\0" + b"xyz\0"  # to be skipped, padding and all
    note = first + struct.pack("<III", 4, 8, kind) + owner + bytes(8)
    header = b"\x7fELF\x02".ljust(32, b"\0") + struct.pack("<Q", 64) + bytes(14) + struct.pack("<HH", 56, 2)
    table = struct.pack("<IIQQQQQQ", 1, 0, 0, 0, 0, 0, 0, 0) + struct.pack(
        "<IIQQQQQQ", 4, 0, 300, 0, 0, len(note), 0, 0
    )
    return (header.ljust(64, b"\0") + table).ljust(300, b"\0") + note


@pytest.mark.parametrize(
    ("owner", "kind", "expected"), [(b"Xen\0", 18, True), (b"Xen\0", 17, False), (b"GNU\0", 18, False)]
)
def test_the_pvh_entry_is_a_note_of_xens(owner, kind, expected):
    assert has_pvh_entry(elf_with_note(owner, kind)) is expected


def test_a_script_has_no_pvh_entry():
    assert not has_pvh_entry(b"#!/bin/sh\n")
