"""What Isoscope has on this host right now: read from the kernel, not from our own records.

Others may use the same host, with Isoscope too: given a state directory, only what belongs to it is looked at. A thing
belongs to it when it names the directory's path, the hash that its network's names are made of, or the id of one of
its instances.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

from isoscope.backends.network.names import Names

_INSTANCE = re.compile(r"isoscope-([0-9a-f]{12})", re.ASCII)

#: Folders of a state directory that are kept on purpose, from one instance to the next.
KEPT = frozenset({"images", "layers", "cache"})

_NAMED_NAMESPACES = "/run/netns"  # of ip-netns(8), which mounts each there

_RUN = "/run/isoscope"  #: what processes share, whatever state directories they work with, and libvirt's files

#: Folders of a state directory that the registry makes and leaves standing.
_FRAME = frozenset({"instances", "names"})


@dataclass(frozen=True)
class HostSnapshot:
    """What was there at one moment; each thing as a line that a person can act on."""

    processes: frozenset[str] = frozenset()
    mounts: frozenset[str] = frozenset()  #: in this process's mount namespace
    namespaces: frozenset[str] = frozenset()  #: network namespaces that have a name, as ip-netns(8) gives them
    links: frozenset[str] = frozenset()  #: network devices, taps of VMs included
    cgroups: frozenset[str] = frozenset()  #: in every hierarchy
    tables: frozenset[str] = frozenset()  #: of nftables
    loops: frozenset[str] = frozenset()  #: loop devices
    files: frozenset[str] = frozenset()  #: below the state directory, and ours in /run and /dev/shm

    @classmethod
    def take(cls, home: Path | None = None, ids: Iterable[str] = ()) -> Self:
        """Look at the host now: at what belongs to a state directory, or at everything of ours when there is none.

        `ids` are instances of the state directory that its registry may not name any more; see `HostWatch`.
        """
        mine = _Mine(home, frozenset(ids) | (_instances(home) if home else frozenset()))
        return cls(
            processes=frozenset(_processes(mine)),
            mounts=frozenset(_mounts(mine)),
            namespaces=frozenset(_named(_NAMED_NAMESPACES, mine)),
            links=frozenset(name for _, name in socket.if_nameindex() if mine.link(name)),
            cgroups=frozenset(_cgroups(mine)),
            tables=frozenset(name for name in _tables() if mine.table(name)),
            loops=frozenset(_loops(mine)),
            files=frozenset(_files(mine)),
        )

    def difference(self, later: HostSnapshot) -> list[str]:
        """What appeared and what vanished between this snapshot and a later one, a line for each; empty when equal."""
        lines = []
        for field in fields(self):
            before, after = getattr(self, field.name), getattr(later, field.name)
            kind = field.name.removesuffix("es" if field.name == "processes" else "s")
            lines += [f"new {kind}: {what}" for what in sorted(after - before)]
            lines += [f"{kind} has gone: {what}" for what in sorted(before - after)]
        return lines


class HostWatch:
    """A snapshot of now, and every instance that is made from now on, so that what a deleted one left is found, too."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._ids: set[str] = set()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._watch = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        directory = home / "instances"
        directory.mkdir(exist_ok=True)
        if self._watch < 0 or self._libc.inotify_add_watch(self._watch, os.fsencode(directory), _IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {directory}: {os.strerror(ctypes.get_errno())}")
        self.before = HostSnapshot.take(home)

    def difference(self) -> list[str]:
        """How the host differs from when the watch began, a line for each thing."""
        self._ids.update(self._made())
        return self.before.difference(HostSnapshot.take(self.home, self._ids))

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if self._watch >= 0:
            os.close(self._watch)
            self._watch = -1

    def _made(self) -> Iterator[str]:
        """Names of the directories made since the last call, from inotify(7)'s queue."""
        with suppress(BlockingIOError):
            while events := os.read(self._watch, 1 << 16):
                at = 0
                while at < len(events):
                    *_, length = _INOTIFY_EVENT.unpack_from(events, at)
                    at += _INOTIFY_EVENT.size
                    yield os.fsdecode(events[at : at + length].rstrip(b"\0"))
                    at += length

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_IN_CREATE = 0x100
_INOTIFY_EVENT = struct.Struct("=iIII")


class _Mine:
    """Whether a thing belongs to a state directory, or to Isoscope at all when there is none."""

    def __init__(self, home: Path | None, ids: frozenset[str]) -> None:
        self.home = home
        self.ids = ids
        self._names = Names.of(home) if home else None
        # Bounded, so that /tmp/iso-1 does not claim what belongs to /tmp/iso-12.
        paths = {os.fsencode(path) for path in ((home, os.path.realpath(home)) if home else ())}
        self._path = re.compile(b"|".join(re.escape(path) + rb"(?![\w.-])" for path in paths)) if paths else None

    def text(self, text: bytes) -> bool:
        """Whether a text (a command line, an environment, a line of mountinfo) names us."""
        if self._path is None:
            return b"isoscope" in text
        return self._path.search(text) is not None or self.mark(os.fsdecode(text))

    def mark(self, name: str) -> bool:
        """Whether a name carries the mark of an instance of ours."""
        if self.home is None:
            return "isoscope" in name
        return any(match[1] in self.ids for match in _INSTANCE.finditer(name))

    def link(self, name: str) -> bool:
        return name.startswith(self._names.prefix if self._names else "isoscope")

    def table(self, name: str) -> bool:
        return name == self._names.table if self._names else name.startswith("isoscope_")


def _instances(home: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(home / "instances"))
    except FileNotFoundError:
        return frozenset()


def _processes(mine: _Mine) -> Iterator[str]:
    """Processes whose command line, environment, directories, cgroups or mounts name us, but for the one that asks."""
    ours = _ancestors()
    own_mounts = os.readlink("/proc/self/ns/mnt")
    mounts_seen: dict[str, bool] = {own_mounts: False}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) in ours:
            continue
        with suppress(OSError):  # it may end while we look, and a kernel thread has no such files
            if reason := _reason(f"/proc/{pid}", mine, mounts_seen):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").strip()
                yield f"{pid} ({reason}): {os.fsdecode(command)[:160] or Path(f'/proc/{pid}/comm').read_text().strip()}"


def _reason(process: str, mine: _Mine, mounts_seen: dict[str, bool]) -> str | None:
    state, parent = _stat(process)
    if state == b"Z" and parent == 1:
        return None  # it has ended, and only the host's init can put it away
    if mine.text(_read(f"{process}/cmdline")):
        return "its command line"
    if mine.home is not None and mine.text(_read(f"{process}/environ")):
        return "its environment"
    if mine.text(_read(f"{process}/cgroup")):
        return "its cgroup"
    if any(mine.text(os.fsencode(os.readlink(f"{process}/{name}"))) for name in ("cwd", "root")):
        return "its directory"
    mounts = os.readlink(f"{process}/ns/mnt")
    if mounts not in mounts_seen:
        lines = _read(f"{process}/mountinfo").splitlines()
        mounts_seen[mounts] = any(mine.text(line) for line in lines if _is_root(line))
    return "its root" if mounts_seen[mounts] else None


def _is_root(line: bytes) -> bool:
    """Whether a line of proc_pid_mountinfo(5) is about "/".

    The others say little about whose a process is: a new namespace begins with a copy of everybody's mounts.
    """
    return line.split(b" ", 5)[4] == b"/"


def _ancestors() -> set[int]:
    """The calling process and those that wait for it: their command lines may well name what is under test."""
    found, pid = set(), os.getpid()
    while pid:
        found.add(pid)
        _, pid = _stat(f"/proc/{pid}")
    return found


def _stat(process: str) -> tuple[bytes, int]:
    """State and parent of a process, proc_pid_stat(5)."""
    stat = Path(f"{process}/stat").read_bytes()
    state, parent = stat[stat.rindex(b")") + 2 :].split()[:2]
    return state, int(parent)


def _mounts(mine: _Mine) -> Iterator[str]:
    for line in _read("/proc/self/mountinfo").splitlines():
        if mine.text(line):
            _, _, _, root, point, *_ = line.split()
            if not point.startswith(_NAMED_NAMESPACES.encode()):
                yield os.fsdecode(point if root == b"/" else point + b" of " + root)


def _named(directory: str, mine: _Mine) -> Iterator[str]:
    with suppress(FileNotFoundError):
        yield from (f"{directory}/{name}" for name in os.listdir(directory) if mine.mark(name) or mine.link(name))


def _cgroups(mine: _Mine) -> Iterator[str]:
    """Control groups of ours: their directories in every hierarchy that is mounted, v1 and v2 (cgroups(7))."""
    for line in _read("/proc/self/mounts").splitlines():
        _, point, kind, *_ = line.split()
        if kind in (b"cgroup", b"cgroup2"):
            yield from _directories(os.fsdecode(point), mine)


def _directories(root: str, mine: _Mine) -> Iterator[str]:
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if mine.text(os.fsencode(entry.name)):
                    yield entry.path
                yield from _directories(entry.path, mine)


def _tables() -> Iterator[str]:
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None or os.geteuid() != 0:
        return
    listing = subprocess.run([program, "-j", "list", "tables"], capture_output=True, check=False)
    for entry in json.loads(listing.stdout or b"{}").get("nftables", []):
        if "table" in entry:
            yield entry["table"]["name"]


def _loops(mine: _Mine) -> Iterator[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if mine.text(backing.read_bytes()):
                yield f"/dev/{backing.parent.parent.name}"


def _files(mine: _Mine) -> Iterator[str]:
    for directory in ("/dev/shm", "/run"):  # noqa: S108 -- looked at, never written
        yield from _named(directory, mine)
    if mine.home is None:
        with suppress(FileNotFoundError):
            yield from (f"{_RUN}/{name}" for name in os.listdir(_RUN))
    else:
        yield from (path for path in _below(mine.home, KEPT) if path not in {f"{mine.home}/{name}" for name in _FRAME})


def _below(directory: Path, leave_out: frozenset[str] = frozenset()) -> Iterator[str]:
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name not in leave_out:
                yield entry.path
                # A mount is a line of its own; behind it may stand the host's /proc.
                if entry.is_dir(follow_symlinks=False) and not os.path.ismount(entry.path):
                    yield from _below(Path(entry.path))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
