"""The entries of a tar stream, checked one by one before anybody acts on them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from isoscope.core.errors import ImageError
from isoscope.core.units import format_size
from isoscope.images.hashing import Reader, damaged
from isoscope.images.limits import LIMITS, Limits

#: What tarfile raises for input that it cannot make sense of, beside its own errors.
_NONSENSE = (ValueError, OverflowError, RecursionError, KeyError, IndexError, TypeError, AttributeError)


@dataclass(frozen=True)
class Entry:
    """One entry: its path split into components (none for the root itself), and how to read its content."""

    parts: tuple[str, ...]
    info: tarfile.TarInfo
    content: Reader | None  #: of a regular file; to be read to its end, or not at all

    @property
    def path(self) -> str:
        """The path as it is written in messages."""
        return "/".join(self.parts) or "."


class _Allowance:
    """Passes on what tarfile reads, as long as it stays within what the next step may need.

    tarfile holds extended headers in memory, whatever size they claim; this is where such a claim ends.
    """

    def __init__(self, inner: Reader, what: str) -> None:
        self._inner = inner
        self._what = what
        self.left = 0

    def read(self, size: int = -1, /) -> bytes:
        if self.left <= 0:
            raise ImageError(f"{self._what} has an endless header", hint="no proper tool writes such a layer")
        data = self._inner.read(size)
        self.left -= len(data)
        return data


class _Content:
    """The content of one entry; an end that comes too soon is an error."""

    def __init__(self, inner: Reader, what: str) -> None:
        self._inner = inner
        self._what = what

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._inner.read(size)
        except tarfile.TarError as error:
            raise damaged(self._what, str(error)) from error


class _Strict(tarfile.TarInfo):
    """A header that is broken is an error, where tarfile would take it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            if type(error).__name__ in ("EOFHeaderError", "EmptyHeaderError"):
                raise
            raise ImageError(f"broken tar header: {error}") from error


def entries(stream: Reader, what: str, limits: Limits = LIMITS) -> Iterator[Entry]:
    """The entries of a plain tar stream, in its order. The stream is read to its very end.

    Raises ImageError, naming `what`, for a stream that is damaged, too long, or has an entry with a hostile path.
    """
    guarded = _Allowance(stream, what)
    guarded.left = limits.header_bytes
    try:
        with tarfile.open(
            fileobj=guarded,  # type: ignore[call-overload]
            mode="r|",
            tarinfo=_Strict,
            encoding="utf-8",
            errors="surrogateescape",
        ) as archive:
            yield from _checked(archive, guarded, what, limits)
    except tarfile.TarError as error:
        raise damaged(what, str(error)) from error
    except _NONSENSE as error:
        raise damaged(what, f"tar headers make no sense ({error})") from error
    except ImageError as error:
        if error.message.startswith("broken tar header"):
            raise damaged(what, error.message) from error
        raise
    guarded.left = limits.bytes
    while guarded.read(1 << 18):  # what follows the end mark counts for the digest
        pass


def _checked(archive: tarfile.TarFile, guarded: _Allowance, what: str, limits: Limits) -> Iterator[Entry]:
    count = total = 0
    while (info := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # else every header stays in memory
        count += 1
        total += info.size
        if count > limits.entries:
            raise ImageError(
                f"{what} has more than {limits.entries:,} entries", hint="no image of this size can be loaded"
            )
        parts = _parts(info.name, what, limits)
        if info.size < 0 or total > limits.bytes:
            raise ImageError(
                f"{what} is endless: with {'/'.join(parts)!r} it has more than {format_size(limits.bytes)}",
                hint="no image of this size can be loaded",
            )
        if info.issparse():
            raise ImageError(f"{what} has a sparse file, {info.name!r}", hint="the OCI layer rules advise against them")
        guarded.left = info.size + limits.header_bytes
        content = archive.extractfile(info) if info.isreg() else None
        yield Entry(parts, info, content and _Content(content, what))
        guarded.left = info.size + limits.header_bytes


def _parts(name: str, what: str, limits: Limits) -> tuple[str, ...]:
    """The components of a path. Raises ImageError for one that leads, or may lead, out of the tree."""
    hostile = _offence(name, limits)
    if hostile:
        raise ImageError(f"{what} is hostile: path {_shown(name)} {hostile}", hint="do not use this image")
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _offence(name: str, limits: Limits) -> str:
    if name.startswith("/"):
        return "is absolute"
    if ".." in name.split("/"):
        return "has a component `..`"
    if "\0" in name:
        return "has a NUL byte"
    if len(name.encode("utf-8", "surrogateescape")) > limits.path_bytes:
        return f"is longer than {limits.path_bytes} bytes"
    if name.count("/") >= limits.path_depth:
        return f"is deeper than {limits.path_depth} directories"
    return ""


def link_target(entry: Entry, what: str, limits: Limits) -> tuple[str, ...]:
    """The components of what a hard link points at. Raises ImageError for one that leads out of the tree."""
    return _parts(entry.info.linkname, what, limits)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")
