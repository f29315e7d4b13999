"""Apply one layer to an empty directory, so that it is an overlayfs lower directory: the OCI rules of layer.md.

Every step is relative to a directory's file descriptor and follows no symbolic link (openat(2), O_NOFOLLOW), so what
an earlier entry made cannot lead a later one out of the tree. A layer that tries is refused.

Whiteouts become character devices 0:0, which the kernel lets everybody make since 5.8. Opaque directories get
`trusted.overlay.opaque`, or `user.overlay.opaque` where trusted attributes are not allowed: an overlay that is mounted
in a user namespace must then have the option `userxattr`.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from isoscope.core.errors import ImageError
from isoscope.images.faults import host_error
from isoscope.images.hashing import CHUNK, Reader
from isoscope.images.limits import LIMITS, Limits
from isoscope.images.lower import find
from isoscope.images.tarstream import Entry, link_target

WHITEOUT = ".wh."
_META = ".wh..wh."  #: aufs's own; only the opaque mark means something to others
_OPAQUE = ".wh..wh..opq"
_XATTR = "SCHILY.xattr."
#: What the kernel answers when a layer asks for something that no file system has.
_NONSENSE = {errno.ENAMETOOLONG, errno.EINVAL, errno.E2BIG, errno.ERANGE, errno.ELOOP, errno.EMLINK, errno.EILSEQ}
_ABSENT_DIRECTORY = (0o755, 0, 0, 0)  #: mode, owner, group and mtime of a directory that no layer describes
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Parts = tuple[str, ...]


def extract(
    entries: Iterable[Entry], into: Path, what: str, below: Sequence[Path] = (), limits: Limits = LIMITS
) -> None:
    """Apply the entries to the empty directory `into`. `below` are the layers under it, lowest first.

    Raises ImageError, naming `what`, for a layer that is hostile or makes no sense, HostError when the host fails
    (a full disk). The directory is then to be thrown away.
    """
    root = os.open(into, _DIRECTORY)
    try:
        layer = _Layer(root, what, below, limits)
        for entry in entries:
            layer.apply(entry)
        layer.finish()
    finally:
        os.close(root)


class _Layer:
    """A layer in the making."""

    def __init__(self, root: int, what: str, below: Sequence[Path], limits: Limits) -> None:
        self._root = root
        self._what = what
        self._below = below
        self._limits = limits
        self._privileged = os.geteuid() == 0
        self._white_outs: set[Parts] = set()  #: what is hidden of the layers below; made at the end, see `_hide`
        self._opaque: set[Parts] = set()
        self._undescribed: set[Parts] = set()  #: directories that no entry has described (yet)
        #: Mode and mtime (ns) of directories, set at the end: until then entries are added to them.
        self._directories: dict[Parts, tuple[int, int]] = {(): (0o755, 0)}
        self._at: tuple[Parts, int] | None = None  #: the directory opened last; entries mostly come in its order

    def apply(self, entry: Entry) -> None:
        """One entry. Raises ImageError or HostError."""
        try:
            self._apply(entry)
        except OSError as error:
            if error.errno in _NONSENSE:
                raise self._refuse(entry.path, f"cannot be made ({error.strerror})") from error
            raise host_error(f"cannot unpack {self._what}", error) from error
        except (OverflowError, UnicodeError) as error:
            raise self._refuse(entry.path, f"cannot be made ({error})") from error

    def finish(self) -> None:
        """Do what had to wait for the last entry. Raises ImageError or HostError."""
        try:
            for parts in sorted(self._undescribed):
                self._describe_like_below(parts)
            if () in self._opaque:  # overlayfs does not ask a layer's root
                self._opaque.remove(())
                self._white_outs.update((name,) for layer in self._below for name in os.listdir(layer))
            for parts in sorted(self._white_outs):
                self._hide(parts)
            # Deepest first: a directory may be closed to us once its mode is set.
            for parts in sorted(self._directories, key=len, reverse=True):
                mode, mtime = self._directories[parts]
                if (directory := self._reopen(parts)) is not None:
                    os.fchmod(directory, mode)
                    os.utime(directory, ns=(mtime, mtime))
        except OSError as error:
            if error.errno in _NONSENSE:
                raise self._refuse(os.fspath(error.filename or "."), f"cannot be made ({error.strerror})") from error
            raise host_error(f"cannot unpack {self._what}", error) from error
        finally:
            self._forget_position()

    # Entries by kind

    def _apply(self, entry: Entry) -> None:
        if not entry.parts:
            if not entry.info.isdir():
                raise self._refuse(".", "is not a directory")
            self._describe_directory((), self._root, entry)
            return
        *above, name = entry.parts
        if any(part.startswith(WHITEOUT) for part in above):
            raise self._refuse(entry.path, "lies below a whiteout")
        parent = self._open(tuple(above))
        if name.startswith(WHITEOUT):
            self._white_out(tuple(above), parent, name, entry)
            return
        info = entry.info
        if info.isdir():
            self._make_directory(entry, parent, name)
        elif info.isreg():
            self._clear(entry.parts, parent, name)
            self._make_file(entry, parent, name)
        elif info.issym():
            self._clear(entry.parts, parent, name)
            os.symlink(info.linkname, name, dir_fd=parent)
            self._describe_special(entry, parent, name)
        elif info.islnk():
            self._make_link(entry, parent, name)
        elif info.isfifo():
            self._clear(entry.parts, parent, name)
            os.mkfifo(name, dir_fd=parent)
            self._describe_special(entry, parent, name)
            os.chmod(name, info.mode & 0o7777, dir_fd=parent)
        elif info.ischr() or info.isblk():
            raise self._hostile(entry.path, "is a device node")
        else:
            raise self._refuse(entry.path, f"is of the unknown type {info.type!r}")

    def _make_directory(self, entry: Entry, parent: int, name: str) -> None:
        found = _lstat(parent, name)
        hides = found is not None and not stat.S_ISDIR(found.st_mode)
        if hides:
            os.unlink(name, dir_fd=parent)
        if found is None or hides:
            os.mkdir(name, 0o700, dir_fd=parent)
        directory = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            if hides:  # whatever stood here, a whiteout or a file, hid what the layers below have
                self._opaque.add(entry.parts)
                self._set_opaque(directory)
            self._describe_directory(entry.parts, directory, entry)
        finally:
            os.close(directory)

    def _describe_directory(self, parts: Parts, directory: int, entry: Entry) -> None:
        self._set_owner(directory, entry)
        self._set_xattrs(directory, entry)
        self._undescribed.discard(parts)
        self._directories[parts] = (entry.info.mode & 0o7777, self._mtime(entry))

    def _make_file(self, entry: Entry, parent: int, name: str) -> None:
        assert entry.content is not None
        file = os.open(name, _NEW, 0o600, dir_fd=parent)
        try:
            _write(entry.content, file)
            self._set_owner(file, entry)
            self._set_xattrs(file, entry)
            os.fchmod(file, entry.info.mode & 0o7777)  # after chown(2), which clears setuid
            mtime = self._mtime(entry)
            os.utime(file, ns=(mtime, mtime))
        finally:
            os.close(file)

    def _make_link(self, entry: Entry, parent: int, name: str) -> None:
        target = link_target(entry, self._what, self._limits)
        if target == entry.parts:
            return
        if target[: len(entry.parts)] == entry.parts:
            raise self._refuse(entry.path, "is a hard link to something below itself")
        try:
            if not target:
                raise FileNotFoundError
            source = self._open(target[:-1], make=False)
            found = os.stat(target[-1], dir_fd=source, follow_symlinks=False)
        except FileNotFoundError:
            raise self._refuse(
                entry.path, f"is a hard link to {entry.info.linkname!r}, which the layer lacks"
            ) from None
        if stat.S_ISDIR(found.st_mode):
            raise self._refuse(entry.path, f"is a hard link to {entry.info.linkname!r}, which is no file")
        source = os.dup(source)  # opening the parent again may close it
        try:
            parent = self._open(entry.parts[:-1])
            self._clear(entry.parts, parent, name)
            os.link(target[-1], name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _white_out(self, above: Parts, parent: int, mark: str, entry: Entry) -> None:
        if mark == _OPAQUE:
            self._opaque.add(above)
            if above:
                self._set_opaque(parent)
            return
        if mark.startswith(_META):
            return
        name = mark.removeprefix(WHITEOUT)
        if name in ("", ".", ".."):
            raise self._hostile(entry.path, "is a whiteout of no name")
        self._white_outs.add((*above, name))

    def _hide(self, parts: Parts) -> None:
        """Hide what the layers below have there, but not what this layer has: whiteouts speak of lower layers only.

        A whiteout that hides nothing is not made: in a directory that only one layer has, overlayfs would list it.
        """
        parent = self._reopen(parts[:-1])
        if parent is None:
            return
        found = _lstat(parent, parts[-1])
        if found is None:
            if self._visible_below(parts) is not None:
                os.mknod(parts[-1], stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
        elif stat.S_ISDIR(found.st_mode):
            self._set_opaque(self._open(parts))

    def _visible_below(self, parts: Parts) -> os.stat_result | None:
        """What the layers below have there, unless this layer hides a directory on the way to it."""
        above = {parts[:depth] for depth in range(len(parts))}
        if above & self._opaque or above & self._white_outs:
            return None
        return find(self._below, parts)

    # Where

    def _open(self, parts: Parts, *, make: bool = True) -> int:
        """The directory of that path; borrowed until the next call. Missing ones are made, if so wished.

        Raises ImageError when the path leads through a symbolic link or another file, FileNotFoundError when it is
        missing and not to be made.
        """
        if not parts:
            return self._root
        if self._at is not None and self._at[0] == parts:
            return self._at[1]
        directory = os.dup(self._root)
        try:
            for depth in range(1, len(parts) + 1):
                child = self._open_child(directory, parts[:depth], make=make)
                os.close(directory)
                directory = child
        except BaseException:
            os.close(directory)
            raise
        self._forget_position()
        self._at = (parts, directory)
        return directory

    def _reopen(self, parts: Parts) -> int | None:
        """A directory that was there; None when a later entry has taken its place. Borrowed, as by `_open`."""
        try:
            return self._open(parts, make=False)
        except (FileNotFoundError, ImageError):
            return None

    def _open_child(self, directory: int, parts: Parts, *, make: bool) -> int:
        name = parts[-1]
        try:
            return os.open(name, _DIRECTORY, dir_fd=directory)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(name, 0o700, dir_fd=directory)
            self._undescribed.add(parts)
            return os.open(name, _DIRECTORY, dir_fd=directory)
        except NotADirectoryError:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no directory"
            raise self._hostile("/".join(parts), f"is {kind}, and another entry's path leads through it") from None

    def _describe_like_below(self, parts: Parts) -> None:
        """A directory that no entry describes is like that of the layers below, where they have one."""
        directory = self._reopen(parts)
        if directory is None:
            return
        below = None if parts in self._white_outs else self._visible_below(parts)
        mode, uid, gid, mtime = _ABSENT_DIRECTORY
        if below is not None:
            if not stat.S_ISDIR(below.st_mode):
                kind = "a symbolic link" if stat.S_ISLNK(below.st_mode) else "no directory"
                where = "in a layer below, and an entry's path leads through it"
                raise self._hostile("/".join(parts), f"is {kind} {where}")
            mode, uid, gid, mtime = stat.S_IMODE(below.st_mode), below.st_uid, below.st_gid, below.st_mtime_ns
        if self._privileged:
            os.fchown(directory, uid, gid)
        self._directories[parts] = (mode, mtime)

    def _clear(self, parts: Parts, parent: int, name: str) -> None:
        """Remove what an earlier entry of this layer made there."""
        found = _lstat(parent, name)
        if found is None:
            return
        if not stat.S_ISDIR(found.st_mode):
            os.unlink(name, dir_fd=parent)
            return
        if self._at is not None and self._at[0][: len(parts)] == parts:
            self._forget_position()
        shutil.rmtree(name, dir_fd=parent)

    def _forget_position(self) -> None:
        if self._at is not None:
            os.close(self._at[1])
            self._at = None

    # How

    def _describe_special(self, entry: Entry, parent: int, name: str) -> None:
        """Owner, extended attributes and time of what cannot be opened: a symbolic link, a fifo."""
        if self._privileged:
            os.chown(name, *self._owner(entry), dir_fd=parent, follow_symlinks=False)
        self._set_xattrs(f"/proc/self/fd/{parent}/{name}", entry)
        mtime = self._mtime(entry)
        os.utime(name, ns=(mtime, mtime), dir_fd=parent, follow_symlinks=False)

    def _set_owner(self, file: int, entry: Entry) -> None:
        owner = self._owner(entry)
        if self._privileged:
            os.fchown(file, *owner)

    def _owner(self, entry: Entry) -> tuple[int, int]:
        uid, gid = entry.info.uid, entry.info.gid
        if not (0 <= uid < 0xFFFFFFFF and 0 <= gid < 0xFFFFFFFF):  # -1 means "as it is" to chown(2)
            raise self._refuse(entry.path, f"has the owner {uid}:{gid}")
        return uid, gid

    def _set_xattrs(self, file: int | str, entry: Entry) -> None:
        for key, text in entry.info.pax_headers.items():
            if not key.startswith(_XATTR):
                continue
            name = key.removeprefix(_XATTR)
            if name.startswith(("trusted.overlay.", "user.overlay.")):
                raise self._hostile(entry.path, f"has the attribute {name}, which steers overlayfs")
            if not self._privileged and not name.startswith("user."):
                continue  # only root may set these
            value = text.encode("utf-8", "surrogateescape")
            os.setxattr(file, name, value, follow_symlinks=isinstance(file, int))

    def _set_opaque(self, directory: int) -> None:
        try:
            os.setxattr(directory, "trusted.overlay.opaque", b"y")
        except PermissionError:
            os.setxattr(directory, "user.overlay.opaque", b"y")

    def _mtime(self, entry: Entry) -> int:
        """Nanoseconds; exact, where tarfile's own float is not."""
        text = entry.info.pax_headers.get("mtime")
        try:
            seconds = Decimal(text) if text else Decimal(int(entry.info.mtime))
        except (InvalidOperation, ValueError, OverflowError):
            seconds = Decimal("NaN")
        if not seconds.is_finite() or seconds.adjusted() > 12:  # `int` of 1e999999999 would take all memory
            raise self._refuse(entry.path, "has no proper modification time")
        return int(seconds * 1_000_000_000)

    def _refuse(self, path: str, why: str) -> ImageError:
        return ImageError(f"{self._what} is malformed: {path!r} {why}", hint="get the image again, or from elsewhere")

    def _hostile(self, path: str, why: str) -> ImageError:
        return ImageError(f"{self._what} is hostile: {path!r} {why}", hint="do not use this image")


def _lstat(parent: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _write(content: Reader, file: int) -> None:
    while data := content.read(CHUNK):
        while data:
            data = data[os.write(file, data) :]
