"""A file tree in the making, which becomes one layer: the same files always give the same bytes.

Owners, modes and links are kept as data, so that no root is needed to build an image.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from isoscope.images.hashing import CHUNK, Reader, Writer
from isoscope.images.tarstream import Entry

_TYPES = {tarfile.AREGTYPE: tarfile.REGTYPE, tarfile.CONTTYPE: tarfile.REGTYPE}


@dataclass
class Node:
    """An inode: two paths with the same one are hard links."""

    type: bytes
    mode: int
    uid: int = 0
    gid: int = 0
    mtime: int | None = None  #: seconds; None means that of the whole tree
    target: str = ""  #: of a symbolic link
    data: Path | None = None  #: of a regular file
    xattrs: dict[str, str] = field(default_factory=dict)  #: as in a PAX header


class Tree:
    """Paths, relative to the root, and their nodes. Contents are kept in files below `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._kept = 0
        self.nodes: dict[str, Node] = {}

    def directory(self, path: str, mode: int = 0o755) -> None:
        """A directory; one that is there already keeps its entries."""
        self._put(path, Node(tarfile.DIRTYPE, mode))

    def symlink(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._put(path, Node(tarfile.SYMTYPE, 0o777, target=target))

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self._put(path, Node(tarfile.REGTYPE, mode, data=self._keep(io.BytesIO(data))))

    def link(self, path: str, existing: str) -> None:
        """Another name for an existing file."""
        self._put(path, self.nodes[self.resolve(existing)])

    def unpack(self, entry: Entry, wanted: Callable[[str], bool]) -> None:
        """Take over an entry of a package's tar stream, unless nobody wants it."""
        path = self.resolve(entry.path)
        info = entry.info
        if not entry.parts or self._is_merged(path, info) or not wanted(path):
            return
        if info.islnk():
            target = self.resolve(info.linkname.removeprefix("./"))
            if target in self.nodes:
                self._put(path, self.nodes[target])
            return
        node = Node(
            type=_TYPES.get(info.type, info.type),
            mode=info.mode & 0o7777,
            uid=info.uid,
            gid=info.gid,
            mtime=int(info.mtime),
            target=info.linkname if info.issym() else "",
            data=self._keep(entry.content) if entry.content is not None else None,
            xattrs={key: text for key, text in info.pax_headers.items() if key.startswith("SCHILY.xattr.")},
        )
        self._put(path, node)

    def resolve(self, path: str) -> str:
        """The path with the directory links of the tree followed, as /bin is to /usr/bin."""
        first, slash, rest = path.partition("/")
        node = self.nodes.get(first)
        if slash and node is not None and node.type == tarfile.SYMTYPE:
            return f"{node.target}/{rest}"
        return path

    def newest(self) -> int:
        """The latest modification time of what packages brought."""
        return max((node.mtime for node in self.nodes.values() if node.mtime is not None), default=0)

    def write(self, stream: Writer, mtime: int) -> None:
        """The tree as a tar stream, sorted by path. Nothing in it is later than `mtime` (SOURCE_DATE_EPOCH)."""
        written: dict[int, str] = {}
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            for path, node in sorted(self._with_parents()):
                info = _header(path, node, mtime)
                if node.type == tarfile.REGTYPE and id(node) in written:
                    info.type, info.linkname, info.size = tarfile.LNKTYPE, written[id(node)], 0
                    archive.addfile(info)
                    continue
                written[id(node)] = path
                if node.data is None:
                    archive.addfile(info)
                    continue
                info.size = node.data.stat().st_size
                with node.data.open("rb") as data:
                    archive.addfile(info, data)

    def _with_parents(self) -> Iterator[tuple[str, Node]]:
        parents = {
            "/".join(parts[:n]) for path in self.nodes for parts in [path.split("/")] for n in range(1, len(parts))
        }
        for path in parents - self.nodes.keys():
            yield path, Node(tarfile.DIRTYPE, 0o755)
        yield from self.nodes.items()

    def _is_merged(self, path: str, info: tarfile.TarInfo) -> bool:
        """Whether a package has a directory, or that very link, where the tree has a link: /lib, for example."""
        node = self.nodes.get(path)
        return node is not None and node.type == tarfile.SYMTYPE and (info.isdir() or info.issym())

    def _put(self, path: str, node: Node) -> None:
        self.nodes[self.resolve(path)] = node

    def _keep(self, content: Reader) -> Path:
        path = self._scratch / str(self._kept)
        self._kept += 1
        with path.open("wb") as file:
            while data := content.read(CHUNK):
                file.write(data)
        return path


def _header(path: str, node: Node, mtime: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type, info.mode, info.uid, info.gid = node.type, node.mode, node.uid, node.gid
    info.mtime = mtime if node.mtime is None else min(node.mtime, mtime)
    info.linkname = node.target
    info.pax_headers = dict(node.xattrs)
    return info
