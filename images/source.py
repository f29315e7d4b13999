"""Where images are loaded from: a directory, or a tar archive, which is first spread out aside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from isoscope.core.errors import ImageError, NotFound
from isoscope.images.compression import Uncompressed
from isoscope.images.hashing import CHUNK, Hashed
from isoscope.images.limits import ARCHIVE_LIMITS, LIMITS
from isoscope.images.locks import making
from isoscope.images.tarstream import Entry, entries

_MOST_LINKS = 8


class Source:
    """Files by name. Names come from the source's own documents and are not trusted."""

    def __init__(self, root: Path, links: dict[str, str] | None = None) -> None:
        self._root = root
        self._links = links or {}

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self._root / self._real(name)).is_file()

    def open(self, name: str) -> BufferedReader:
        """A file as a stream. Raises ImageError when it is missing, or its name leads out of the source."""
        try:
            # O_NONBLOCK: a directory may have a fifo there, and opening it would wait for ever.
            opened = os.open(self._root / self._real(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ImageError(
                f"{name!r} of the source cannot be read: {reason}", hint="the source is not whole"
            ) from None
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            os.close(opened)
            raise ImageError(f"{name!r} of the source is no file", hint="the source is not an image")
        return os.fdopen(opened, "rb")

    def read(self, name: str) -> bytes:
        """A small file. Raises ImageError when it is missing or too large for a document."""
        with self.open(name) as file:
            data = file.read(LIMITS.json_bytes + 1)
        if len(data) > LIMITS.json_bytes:
            raise ImageError(f"{name!r} of the source is too large for a document", hint="no proper image has that")
        return data

    def _real(self, name: str) -> str:
        for _ in range(_MOST_LINKS):
            name = os.path.normpath(name)
            if name.startswith(("/", "..")) or "\0" in name:
                raise ImageError(f"the source is hostile: it names the file {name!r}", hint="do not use this image")
            if name not in self._links:
                return name
            name = os.path.join(os.path.dirname(name), self._links[name])
        raise ImageError(f"{name!r} of the source is a link without end", hint="the source is not an image")


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[Source]:
    """The files of a directory or a tar archive (plain, gzip or zstd; a fifo, too, such as /dev/stdin).

    An archive is spread out below `scratch` for the time of the block. Raises NotFound, ImageError, HostError.
    """
    if path.is_dir():
        yield Source(path)
        return
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"there is no file {str(path)!r}", hint="give an OCI layout or an archive of images") from None
    except OSError as error:
        raise ImageError(f"{str(path)!r} cannot be read: {error.strerror}", hint="look at its permissions") from error
    with file, making(scratch) as spread:
        yield Source(spread, _spread(file, spread, f"archive {str(path)!r}"))


def _spread(file: BufferedReader, into: Path, what: str) -> dict[str, str]:
    """Write out the files of an archive. Returns its links, by name."""
    links: dict[str, str] = {}
    stream = Uncompressed(Hashed(file), what, ARCHIVE_LIMITS)
    for entry in entries(stream, what, ARCHIVE_LIMITS):
        if entry.content is not None:
            links.pop(entry.path, None)
            _write(entry, into / entry.path, what)
        elif entry.info.issym():
            links[entry.path] = entry.info.linkname
        elif entry.info.islnk():
            links[entry.path] = os.path.relpath(entry.info.linkname or ".", os.path.dirname(entry.path))
    return links


def _write(entry: Entry, path: Path, what: str) -> None:
    """Only directories and files are ever made below the scratch directory, so no name can lead out of it."""
    assert entry.content is not None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while data := entry.content.read(CHUNK):
                file.write(data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ImageError(f"{what} has {entry.path!r} both as a file and as a directory", hint="get it again") from error
