"""Cgroups of both versions: where an instance's go, their limits, usage, freezing, killing and removal.

An instance has one directory `isoscope/MARK` in the tree of version 2, where there is one, whatever controllers that
has: it tracks every process, freezes and kills them, and counts CPU time. Controllers that sit in hierarchies of
version 1 ("hybrid" layout) get a directory of the same name there. Without a tree of version 2, version 1's freezer
and cpuacct take its place. Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isoscope.backends.launcher.step import Scene, Step
from isoscope.core.errors import HostError
from isoscope.core.instance import Stats
from isoscope.core.registry import Record
from isoscope.core.workload import Resources

FOLDER = "isoscope"
UNIFIED = "unified"  #: the key of the tree of version 2, among the names of version 1's controllers
_CONTROLLERS = ("cpu", "memory", "pids")
_PERIOD = 100_000  # µs, the kernel's default for cpu.max and cpu.cfs_period_us
_LEAST_QUOTA = 1_000  # µs, the least that the kernel takes
_ATTEMPTS = 10  # to be faster than other labs that close at the same time
_PAGE = os.sysconf("SC_PAGE_SIZE")


class MakeCgroup(Step):
    """A cgroup of the instance's own."""

    path: str
    controllers: tuple[str, ...] = ()  #: of version 2, that it is to have

    def describe(self) -> str:
        return f"mkdir {self.path}"

    def execute(self, scene: Scene) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                os.mkdir(self.path)
                return
            except FileNotFoundError:  # another lab that closes has taken the empty folder with it
                if attempt == _ATTEMPTS - 1:
                    raise
                with contextlib.suppress(FileNotFoundError):
                    make_folder(Path(self.path).parent, self.controllers)


class SetLimit(Step):
    """A limit, read back: the kernel rounds some and ignores others."""

    path: str
    value: str
    optional: bool = False  #: whether the kernel may lack the file (swap accounting)

    def describe(self) -> str:
        return f"write {self.value!r} to {self.path}"

    def execute(self, scene: Scene) -> None:
        if self.optional and not os.path.exists(self.path):
            return
        write(self.path, self.value)
        stands = read(self.path)
        if stands != self.value:
            raise OSError(errno.EINVAL, f"the kernel made {stands!r} of it")


@dataclass(frozen=True)
class Tree:
    """Where cgroups can be made here: the folder that holds those of all instances, in each hierarchy of use."""

    folders: Mapping[str, Path]  #: by version 1 controller, or UNIFIED
    unified_controllers: frozenset[str] = frozenset()  #: those that the tree of version 2 has for us
    own: Mapping[str, Path] = field(default_factory=dict)  #: the caller's own cgroups, by the same names

    @classmethod
    def discover(cls, mountinfo: str | None = None, own: str | None = None, *, root: bool | None = None) -> Tree:
        """The hierarchies mounted here and, in each, the place that the caller may use.

        For root that is the top; for another user the highest cgroup above the caller's own that was delegated to it.
        """
        mountinfo = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
        own = Path("/proc/self/cgroup").read_text() if own is None else own
        root = os.geteuid() == 0 if root is None else root
        folders: dict[str, Path] = {}
        places: dict[str, Path] = {}
        paths = _own_paths(own)
        for mount, mount_root, names in _mounts(mountinfo, {*_CONTROLLERS, "cpuacct", "freezer", *paths}):
            for name in names:
                places.setdefault(name, mount / os.path.relpath(paths.get(name, "/"), mount_root))
                place = mount if root else _delegated(mount, mount_root, paths.get(name, "/"))
                if place is not None and name not in folders and os.access(place, os.W_OK):
                    folders[name] = place / FOLDER
        controllers: frozenset[str] = frozenset()
        if UNIFIED in folders:
            controllers = frozenset(read(folders[UNIFIED].parent / "cgroup.controllers").split()) & {*_CONTROLLERS}
        return cls(folders, controllers, places)

    def controllers(self) -> frozenset[str]:
        """Of cpu, memory and pids: those that can be used here."""
        return self.unified_controllers | (self.folders.keys() & {*_CONTROLLERS})

    def prepare(self, cgroup: Cgroup) -> None:
        """Make the folders that an instance's cgroup will stand in. Idempotent. Raises HostError."""
        for name in cgroup.directories:
            folder = self.folders[name]
            try:
                with contextlib.suppress(FileNotFoundError):  # another lab has removed it again; `MakeCgroup` makes it
                    make_folder(folder, self.unified_controllers if name == UNIFIED else ())
            except OSError as error:
                raise HostError(
                    f"cannot prepare cgroup {folder}: {error.strerror}",
                    hint="run as root on the host, or have the controllers delegated: "
                    "systemd.resource-control(5), Delegate=",
                ) from error

    def clean(self) -> list[str]:
        """Remove the folders where no instance is left in them. Returns a line for each."""
        removed = []
        for folder in set(self.folders.values()):
            with contextlib.suppress(OSError):  # others' instances are in it, or it was never made
                folder.rmdir()
                removed.append(f"removed cgroup {folder}")
        return removed

    def sweep(self, live: list[Record]) -> list[str]:
        """`clean`, unless one of the instances is still to be started in one of the folders."""
        wanted = any(record.exit is None and record.resources.get("cgroups") for record in live)
        return [] if wanted else self.clean()

    def cgroup(self, mark: str, resources: Resources) -> Cgroup:
        """The cgroup of one instance; nothing is made yet. Raises HostError when a limit has no controller here."""
        there = ", ".join(sorted(self.controllers())) or "none"
        if missing := sorted(_needed(resources) - self.controllers()):
            raise HostError(
                f"controller {missing[0]!r} is not delegated here: available {there}",
                hint="run as root, or as a user with Delegate=cpu memory pids (systemd.resource-control(5)), "
                "or leave out the limit",
            )
        if UNIFIED in self.folders:
            used = {UNIFIED, "memory"} | _needed(resources)
        else:
            used = {"freezer", "cpuacct", "memory", "pids"} | _needed(resources)
        return self._place(mark, used, resources)

    def of_threads(self, mark: str, resources: Resources) -> Cgroup:
        """The same where a single thread can enter it, which only version 1 allows; else as `cgroup` has it.

        Whoever starts a program that others wrote enters it for that moment: the program's processes are born inside.
        """
        if "freezer" not in self.folders or _needed(resources) - self.folders.keys():
            return self.cgroup(mark, resources)
        return self._place(mark, {"freezer", "cpuacct", "memory", "pids"} | _needed(resources), resources)

    def of_runtime(self, mark: str) -> Cgroup:
        """Every directory that an OCI runtime may make for an instance: in all hierarchies, whatever they control."""
        return self._place(mark, self.folders, Resources())

    def counter(self, mark: str) -> Cgroup:
        """A cgroup without limits that counts memory, in one hierarchy; without a directory where none can be made.

        To move a process into it takes milliseconds for each hierarchy, so one has to do.
        """
        return self._place(mark, {"memory"} if "memory" in self.folders else {UNIFIED}, Resources())

    def _place(self, mark: str, used: Collection[str], resources: Resources) -> Cgroup:
        directories = {name: str(folder / mark) for name, folder in self.folders.items() if name in used}
        return Cgroup(directories, self.unified_controllers, resources)


@dataclass
class Cgroup:
    """The directories of one instance, by version 1 controller or UNIFIED."""

    directories: dict[str, str]
    unified_controllers: frozenset[str] = frozenset()
    resources: Resources = field(default_factory=Resources)

    @classmethod
    def recorded(cls, directories: object, mark: str) -> Cgroup:
        """The cgroup that a record names; entries that are not of the instance's mark are passed over."""
        entries = directories.items() if isinstance(directories, dict) else ()
        ours = {str(k): str(v) for k, v in entries if str(v).endswith(f"/{FOLDER}/{mark}") and ".." not in str(v)}
        return cls(ours)

    # Making

    def steps(self) -> list[Step]:
        """What makes it and sets its limits."""
        controllers = tuple(sorted(self.unified_controllers))
        made: dict[str, Step] = {
            path: MakeCgroup(path, controllers if key == UNIFIED else ()) for key, path in self.directories.items()
        }
        return [*made.values(), *self._limits()]

    def make(self) -> None:
        """Make it. Raises HostError."""
        for step in self.steps():
            try:
                step.execute(Scene({}))
            except OSError as error:
                raise HostError(
                    f"cannot make a cgroup: {step.describe()}: {error.strerror}",
                    hint="isoscope doctor says what this host allows",
                ) from error

    def _limits(self) -> Iterator[Step]:
        wanted = self.resources
        if wanted.cpus is not None:
            quota = max(int(wanted.cpus * _PERIOD), _LEAST_QUOTA)
            if "cpu" in self.unified_controllers:
                yield SetLimit(self._file(UNIFIED, "cpu.max"), f"{quota} {_PERIOD}")
            else:
                yield SetLimit(self._file("cpu", "cpu.cfs_period_us"), str(_PERIOD))
                yield SetLimit(self._file("cpu", "cpu.cfs_quota_us"), str(quota))
        if wanted.memory is not None:
            memory = str(wanted.memory // _PAGE * _PAGE)
            if "memory" in self.unified_controllers:
                yield SetLimit(self._file(UNIFIED, "memory.max"), memory)
                yield SetLimit(self._file(UNIFIED, "memory.swap.max"), "0", optional=True)
            else:
                yield SetLimit(self._file("memory", "memory.limit_in_bytes"), memory)
                yield SetLimit(self._file("memory", "memory.memsw.limit_in_bytes"), memory, optional=True)
        if wanted.pids is not None:
            holder = UNIFIED if "pids" in self.unified_controllers else "pids"
            yield SetLimit(self._file(holder, "pids.max"), str(wanted.pids))

    def _file(self, key: str, name: str) -> str:
        return f"{self.directories[key]}/{name}"

    @property
    def unified(self) -> str | None:
        """The directory in the tree of version 2: clone3(2) puts a process there."""
        return self.directories.get(UNIFIED)

    @property
    def legacy(self) -> tuple[str, ...]:
        """The directories of version 1, which a process enters by itself."""
        return tuple(dict.fromkeys(path for key, path in self.directories.items() if key != UNIFIED))

    def limits_swap(self) -> bool:
        """Whether the kernel here limits swap along with memory. After `Tree.prepare`."""
        key, name = ("memory", "memory.memsw.limit_in_bytes") if "memory" in self.directories else (UNIFIED, "")
        return key in self.directories and os.path.exists(
            f"{os.path.dirname(self.directories[key])}/{name or 'memory.swap.max'}"
        )

    # Reading

    def stats(self) -> Stats:
        """What is used now; None for what no controller counts here."""
        unified, memory, peak = self.unified, None, None
        cpu_ns = None
        if unified is not None:
            if (micros := _field(f"{unified}/cpu.stat", "usage_usec")) is not None:
                cpu_ns = micros * 1000
        elif "cpuacct" in self.directories:
            cpu_ns = _number(self._file("cpuacct", "cpuacct.usage"))
        if "memory" in self.directories:
            memory = _number(self._file("memory", "memory.usage_in_bytes"))
            peak = _number(self._file("memory", "memory.max_usage_in_bytes"))
        elif unified is not None:
            memory, peak = _number(f"{unified}/memory.current"), _number(f"{unified}/memory.peak")
        return Stats(cpu_ns=cpu_ns, memory=memory, memory_peak=peak, pids=self._tasks())

    def _tasks(self) -> int | None:
        if (unified := self.unified) is not None:
            return len(read(f"{unified}/cgroup.threads").split())
        for path in self.legacy:
            return len(read(f"{path}/tasks").split())
        return None

    def processes(self) -> tuple[int, ...]:
        """The processes inside, as the caller's PID namespace numbers them; none when it is gone."""
        return tuple(_pids(next(iter(self.directories.values())))) if self.directories else ()

    def oom_killed(self) -> bool:
        """Whether the kernel has killed anything inside for want of memory."""
        if "memory" in self.directories:
            return bool(_field(self._file("memory", "memory.oom_control"), "oom_kill"))
        return self.unified is not None and bool(_field(f"{self.unified}/memory.events", "oom_kill"))

    # Freezing

    @property
    def can_freeze(self) -> bool:
        """Whether there is a freezer of either version."""
        return self.unified is not None or "freezer" in self.directories

    def freeze(self) -> None:
        """Stop every task, and return once they have stopped."""
        if (unified := self.unified) is not None:
            write(f"{unified}/cgroup.freeze", "1")
            _await_event(unified, "frozen", 1)
        elif "freezer" in self.directories:
            state = self._file("freezer", "freezer.state")
            # Version 1 has no event for it: tasks that were asleep in the kernel freeze when they wake, and writing
            # again sends after those that were born meanwhile (cgroup-v1/freezer-subsystem.rst).
            write(state, "FROZEN")
            while read(state) == "FREEZING":
                write(state, "FROZEN")
                os.sched_yield()

    def thaw(self) -> None:
        """Let the tasks go on."""
        if (unified := self.unified) is not None:
            write(f"{unified}/cgroup.freeze", "0")
        elif "freezer" in self.directories:
            write(self._file("freezer", "freezer.state"), "THAWED")

    # Ending

    def end(self) -> None:
        """Kill every process, wait for their end, and remove the directories. Idempotent.

        The processes must be reaped by their parents, whom the caller may be: it then waits for its own first.
        """
        self.kill()
        self.remove()

    def kill(self) -> None:
        """Kill every process inside and wait until none is left running. What is gone already is no error."""
        if (unified := self.unified) is not None and os.path.exists(f"{unified}/cgroup.kill"):
            _kill_unified(unified)
        for path in self.legacy:
            self._kill_listed(path)

    def _kill_listed(self, path: str) -> None:
        """Version 1 kills nothing by itself: freeze, so that nothing is born meanwhile, and kill one by one."""
        while pids := _pids(path):
            with contextlib.suppress(OSError):
                self.freeze()
            killed = [fd for pid in pids if (fd := _kill(pid, path)) is not None]
            with contextlib.suppress(OSError):
                self.thaw()
            for fd in killed:
                _await_readable(fd)
                os.close(fd)
            if not killed:
                return

    def remove(self) -> None:
        """Remove the directories; nothing runs in them any more. Idempotent."""
        for path in dict.fromkeys(self.directories.values()):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                    raise
                self._remove_busy(path)

    def _remove_busy(self, path: str) -> None:
        """Remove a cgroup in which the last task is still on its way out, or in which the instance made others."""
        for directory, _, _ in os.walk(path, topdown=False):
            if path == self.unified:
                _await_event(directory, "populated", 0)
            else:
                self._kill_listed(directory)
            os.rmdir(directory)


def make_folder(folder: Path, controllers: Iterable[str]) -> None:
    """Make a folder for instances' cgroups, with controllers of version 2 passed on to them. Raises OSError."""
    with contextlib.suppress(FileExistsError):  # and not exist_ok, which looks again, when it may be gone again
        os.mkdir(folder)
    for directory in (folder.parent, folder) if controllers else ():
        if missing := sorted(set(controllers) - set(read(directory / "cgroup.subtree_control").split())):
            write(directory / "cgroup.subtree_control", " ".join(f"+{name}" for name in missing))


def read(path: str | Path) -> str:
    """A file of the kernel's, without the newline at its end."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(fd, 1 << 16)
        while more := os.read(fd, 1 << 16):
            data += more
    finally:
        os.close(fd)
    return data.decode().rstrip("\n")


def write(path: str | Path, text: str) -> None:
    """Write to a file of the kernel's, in one system call."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _needed(resources: Resources) -> set[str]:
    return {{"cpus": "cpu"}.get(name, name) for name in resources.requested()}


def _mounts(mountinfo: str, known: Collection[str]) -> Iterator[tuple[Path, str, list[str]]]:
    """Mount point, root and names, of those that are known, of each cgroup hierarchy; proc_pid_mountinfo(5)."""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        fstype, _, options = (*after.split(), "", "")[:3]
        if fstype == "cgroup2":
            yield Path(point), root, [UNIFIED]
        elif fstype == "cgroup":
            yield Path(point), root, [o for o in options.split(",") if o in known]


def _own_paths(own: str) -> dict[str, str]:
    """The caller's cgroup in each hierarchy, by controller or UNIFIED; cgroups(7)."""
    paths = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(",") if names else [UNIFIED]:
            paths[name] = path
    return paths


def _delegated(mount: Path, mount_root: str, own: str) -> Path | None:
    """The highest cgroup, from the caller's own upwards, that the caller may make others in."""
    place, found = mount / os.path.relpath(own, mount_root), None
    while place.is_relative_to(mount) and ".." not in place.parts:
        if not (os.access(place, os.W_OK) and os.access(place / "cgroup.procs", os.W_OK)):
            break
        found, place = place, place.parent
    return found


def _number(path: str) -> int | None:
    try:
        return int(read(path))
    except (OSError, ValueError):
        return None


def _field(path: str, name: str) -> int | None:
    """A value of a flat keyed file."""
    try:
        lines = read(path).splitlines()
    except OSError:
        return None
    return next((int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name), None)


def _await_event(directory: str, name: str, value: int) -> None:
    """Wait until cgroup.events has the value; the kernel announces changes of the file by POLLPRI."""
    path = f"{directory}/cgroup.events"
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        while f"{name} {value}" not in os.pread(fd, 4096, 0).decode().splitlines():
            poll.poll()
    finally:
        os.close(fd)


def _pids(path: str) -> list[int]:
    try:
        return [int(pid) for pid in read(f"{path}/cgroup.procs").split()]
    except OSError:
        return []


def _kill(pid: int, path: str) -> int | None:
    """Kill a process of the cgroup, and give a descriptor that is readable at its end; None when it has gone."""
    fd = _open(pid)
    if fd is None:
        return None
    if pid not in _pids(path):  # the number may be another's by now, but what the descriptor holds is not
        os.close(fd)
        return None
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(fd, signal.SIGKILL)
    return fd


def _kill_unified(path: str) -> None:
    """Kill by cgroup.kill. Its processes leave the cgroup a moment before they are dead, so both is waited for."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        inside = [fd for pid in _pids(path) if (fd := _open(pid)) is not None]
        write(f"{path}/cgroup.kill", "1")
        _await_event(path, "populated", 0)
        for fd in inside:
            _await_readable(fd)
            os.close(fd)


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _await_readable(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()
