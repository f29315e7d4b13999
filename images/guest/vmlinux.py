"""The uncompressed kernel inside a bzImage.

An emulated CPU takes half a second to unpack a kernel, so it is done here, once. What comes out can only be started
through the PVH entry point, which it names in an ELF note.
"""

from __future__ import annotations

import gzip
import lzma
import struct
from collections.abc import Callable

from isoscope.core.errors import HostError

_XEN_ELFNOTE_PHYS32_ENTRY = 18  # include/xen/interface/elfnote.h
_PT_NOTE = 4  # elf(5)


def extract(bzimage: bytes) -> bytes:
    """The ELF file that the kernel unpacks itself to.

    By Documentation/arch/x86/boot.rst: `payload_offset` is relative to the protected-mode code, which follows the boot
    sector and `setup_sects` sectors. The payload ends in four bytes of its uncompressed size. Raises HostError.
    """
    if len(bzimage) < 0x250 or bzimage[0x202:0x206] != b"HdrS":
        raise HostError("the kernel is not a bzImage", hint="the kernel's package may be damaged: run apt-get update")
    setup_sects = bzimage[0x1F1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    start = (setup_sects + 1) * 512 + offset
    payload = bzimage[start : start + length]
    for magic, unpack in _FORMATS:
        if payload.startswith(magic):
            return unpack(payload[:-4])
    raise HostError(
        f"the kernel is compressed in an unknown way (it begins with {payload[:4].hex()})",
        hint="please report this with the name of the kernel's package",
    )


def has_pvh_entry(elf: bytes) -> bool:
    """Whether QEMU can start this ELF file: it carries the note XEN_ELFNOTE_PHYS32_ENTRY."""
    if elf[:5] != b"\x7fELF\x02":
        return False
    table, entry_size, entries = *struct.unpack_from("<Q", elf, 32), *struct.unpack_from("<HH", elf, 54)
    for index in range(entries):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", elf, table + index * entry_size)
        if kind == _PT_NOTE and _has_note(elf[offset : offset + size]):
            return True
    return False


def _has_note(notes: bytes) -> bool:
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from("<III", notes, at)
        if kind == _XEN_ELFNOTE_PHYS32_ENTRY and notes[at + 12 : at + 15] == b"Xen":
            return True
        at += 12 + (name_size + 3 & ~3) + (size + 3 & ~3)
    return False


def _lz4_legacy(data: bytes) -> bytes:
    """A magic number, then blocks of at most 8 MiB, each after its compressed size (lz4_Frame_format.md)."""
    import lz4.block

    at, pieces = 4, []
    while at + 4 <= len(data):
        (size,) = struct.unpack_from("<I", data, at)
        pieces.append(lz4.block.decompress(data[at + 4 : at + 4 + size], uncompressed_size=8 << 20))
        at += 4 + size
    return b"".join(pieces)


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _xz(data: bytes) -> bytes:
    return lzma.LZMADecompressor().decompress(data)


#: Beginnings of the formats that kernels are shipped in.
_FORMATS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x02\x21\x4c\x18", _lz4_legacy),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\xfd7zXZ\x00", _xz),
    (b"\x1f\x8b", gzip.decompress),
)
