"""Images in an engine's own store: put there once for each digest, and removed by `gc` when nobody needs them.

What is put there is on disk before it is, in `HOME/engines/KEY.json`: which engine, which image, and what was sent. Who
uses an image holds its file's lock, shared, so that no other process's `gc` takes it away between two trials.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from isoscope.backends.docker.engine import Engine
from isoscope.backends.docker.faults import Refused
from isoscope.core.errors import HostError
from isoscope.core.rootfs import Rootfs
from isoscope.images.archive import archive
from isoscope.images.faults import host_errors
from isoscope.images.reference import is_digest

HOME_LABEL = "isoscope.home"
DIGEST_LABEL = "isoscope.digest"


def mark(home: Path) -> str:
    """What tells a state directory's things in an engine from another's."""
    return hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:12]


def image_name(home: Path, digest: str) -> str:
    """The name of an image in an engine; a digest that is not one of ours may be any text."""
    tag = digest.replace(":", "-") if is_digest(digest) else f"other-{hashlib.sha256(digest.encode()).hexdigest()}"
    return f"isoscope/{mark(home)}:{tag}"


@dataclass(frozen=True)
class Entry:
    """An image that we put, or are about to put, into an engine's store."""

    path: Path
    address: str
    image: str  #: its name

    @classmethod
    def of(cls, home: Path, address: str, digest: str) -> Entry:
        """The one for a digest in an engine."""
        image = image_name(home, digest)
        key = hashlib.sha256(f"{address} {image}".encode()).hexdigest()[:32]
        return cls(directory(home) / f"{key}.json", address, image)

    def hold(self) -> int:
        """A descriptor by which the image is in use; the entry is on disk from then on. Raises OSError."""
        self.path.parent.mkdir(exist_ok=True)
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_SH)
            if self._is(fd):  # else somebody's `gc` was faster
                break
            os.close(fd)
        if not os.pread(fd, 1, 0):
            self.write(fd, "", ())
        return fd

    @contextmanager
    def unused(self) -> Iterator[bool]:
        """Whether nobody has it in use, and nobody can while the block lasts."""
        fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield self._is(fd)
        except BlockingIOError:
            yield False
        finally:
            os.close(fd)

    def _is(self, fd: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(fd), os.stat(self.path))
        return False

    def write(self, fd: int, identity: str, layers: Sequence[str]) -> None:
        """Write down which image it is, as far as that is known. Raises OSError."""
        data = {"address": self.address, "image": self.image, "id": identity, "layers": list(layers)}
        os.truncate(fd, 0)
        os.pwrite(fd, json.dumps(data).encode(), 0)


def directory(home: Path) -> Path:
    """Where the entries of a state directory are."""
    return home / "engines"


def entries(home: Path) -> Iterator[Entry]:
    """All entries of a state directory."""
    for path in sorted(directory(home).glob("*.json")):
        try:
            data = json.loads(path.read_text())
            yield Entry(path, data["address"], data["image"])
        except FileNotFoundError:  # another process has just removed it
            continue
        except (ValueError, KeyError):  # whoever was about to write it was killed, or writes it just now
            yield Entry(path, "", "")


def forget(entry: Entry) -> list[str]:
    """Remove an entry that says nothing, unless somebody is about to write it. Returns a line when it was removed."""
    with entry.unused() as unused:
        if unused:
            entry.path.unlink()
    return [f"removed unfinished {entry.path}"] if unused else []


class Store:
    """The images of one state directory in one engine's store. Thread-safe."""

    def __init__(self, home: Path, engine: Engine) -> None:
        self._home, self._engine = home, engine
        self._held: dict[str, tuple[int, str]] = {}  #: descriptor and identity of each image in use, by name
        self._lock = Lock()

    def ensure(self, rootfs: Rootfs) -> str:
        """The identity of the image in the engine, put there first if need be.

        Raises HostError when it cannot be written or does not arrive as it was sent, Refused, Gone.
        """
        entry = Entry.of(self._home, self._engine.address.url, rootfs.digest)
        with self._lock, host_errors("cannot keep account of an engine's images"):
            if entry.image not in self._held:
                fd = entry.hold()
                try:
                    identity = self._present(entry, fd) or self._load(entry, fd, rootfs)
                except BaseException:
                    os.close(fd)
                    raise
                self._held[entry.image] = fd, identity
            return self._held[entry.image][1]

    def _present(self, entry: Entry, fd: int) -> str:
        """The identity of an image that is there, and is what was sent when it was put there; empty for none."""
        try:
            known = json.loads(os.pread(fd, 1 << 20, 0))
        except ValueError:
            return ""
        found = self._inspect(entry.image)
        there = found and (found["Id"], found["RootFS"].get("Layers")) == (known["id"], known["layers"])
        return str(known["id"]) if there else ""

    def _load(self, entry: Entry, fd: int, rootfs: Rootfs) -> str:
        labels = {HOME_LABEL: mark(self._home), DIGEST_LABEL: rootfs.digest}
        with archive(rootfs, entry.image, labels, entry.path.parent) as sent:
            with self._engine.speaking():
                for line in self._engine.sdk.load_image(sent.file):
                    if "error" in line:
                        raise Refused(500, f"image {rootfs.digest}: {line['error']}")
            found = self._inspect(entry.image)
            if found is None or tuple(found["RootFS"].get("Layers") or ()) != sent.diff_ids:
                raise HostError(
                    f"the engine at {entry.address} did not take image {rootfs.digest} as it was sent",
                    hint="its disk may be full, or its store damaged; isoscope gc removes what is there",
                )
            entry.write(fd, found["Id"], sent.diff_ids)
            return str(found["Id"])

    def _inspect(self, name: str) -> Mapping[str, Any] | None:
        from docker.errors import ImageNotFound

        with self._engine.speaking():
            try:
                found: Mapping[str, Any] = self._engine.sdk.inspect_image(name)
            except ImageNotFound:
                return None
            return found

    def remove(self, entry: Entry) -> bool:
        """Remove an image that nobody uses. False while somebody does. Raises Refused, Gone."""
        with self._lock:
            self._let_go(entry.image)
            with entry.unused() as unused:
                if unused:
                    if self._inspect(entry.image) is not None:
                        with self._engine.speaking():
                            self._engine.sdk.remove_image(entry.image)
                    entry.path.unlink()
                return unused

    def let_go(self, image: str) -> None:
        """Do not take it for granted any more that an image is there, nor keep others from removing it."""
        with self._lock:
            self._let_go(image)

    def _let_go(self, image: str) -> None:
        fd, _ = self._held.pop(image, (-1, ""))
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Use no image any more. Idempotent."""
        with self._lock:
            for image in list(self._held):
                self._let_go(image)
