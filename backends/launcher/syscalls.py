# ruff: noqa: D402 - the docstrings begin with names of manual pages, which are the calls' own
"""One thin wrapper per system call, with the call's own name, for those that Python's `os` does not have.

Each raises OSError with the call's errno. Structures are those of the kernel's headers.
"""

from __future__ import annotations

import ctypes
import os

from isoscope.backends.launcher.linux import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    LINUX_CAPABILITY_VERSION_3,
    MOVE_MOUNT_F_EMPTY_PATH,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The numbers are the same on every architecture that Linux has had them on, but for alpha.
_NR_OPEN_TREE, _NR_MOVE_MOUNT, _NR_FSOPEN, _NR_FSCONFIG, _NR_FSMOUNT = 428, 429, 430, 431, 432
_NR_CLONE3, _NR_CLOSE_RANGE, _NR_MOUNT_SETATTR = 435, 436, 442

# In the launcher nobody waits for Python's lock, so calls keep it; but umount2(2) is made by a lab, and can take long.
_libc, _libc_without_lock = ctypes.PyDLL(None, use_errno=True), ctypes.CDLL(None, use_errno=True)
_int, _unsigned, _long, _unsigned_long = ctypes.c_int, ctypes.c_uint, ctypes.c_long, ctypes.c_ulong
_text, _pointer, _size = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t


def _bind(name: str, *arguments: type) -> Any:
    """A function of the C library. Found now, in the launcher, and not in each child when it first calls it."""
    function = (_libc_without_lock if name == "umount2" else _libc)[name]
    function.argtypes, function.restype = arguments, _long if name == "syscall" else _int
    return function


_mount = _bind("mount", _text, _text, _text, _unsigned_long, _text)
_umount2 = _bind("umount2", _text, _int)
_pivot_root = _bind("pivot_root", _text, _text)
_unshare = _bind("unshare", _int)
_setns = _bind("setns", _int, _int)
_sethostname = _bind("sethostname", _text, _size)
_prctl = _bind("prctl", _int, _unsigned_long, _pointer, _unsigned_long, _unsigned_long)
_capset = _bind("capset", _pointer, _pointer)
_ioctl = _bind("ioctl", _int, _unsigned_long, _pointer)
# Without a wrapper in every C library that is in use.
_clone3 = _bind("syscall", _long, _pointer, _size)
_open_tree = _bind("syscall", _long, _int, _text, _unsigned)
_move_mount = _bind("syscall", _long, _int, _text, _int, _text, _unsigned)
_fsopen = _bind("syscall", _long, _text, _unsigned)
_fsconfig = _bind("syscall", _long, _int, _unsigned, _text, _pointer, _int)
_fsmount = _bind("syscall", _long, _int, _unsigned, _unsigned)
_mount_setattr = _bind("syscall", _long, _int, _text, _unsigned, _pointer, _size)
_close_range = _bind("syscall", _long, _unsigned, _unsigned, _unsigned)
_fanotify_init = _bind("fanotify_init", _unsigned, _unsigned)
_fanotify_mark = _bind("fanotify_mark", _int, _unsigned, ctypes.c_uint64, _int, _text)


class CloneArgs(ctypes.Structure):
    """`struct clone_args` of linux/sched.h, CLONE_ARGS_SIZE_VER2."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls", "set_tid",
            "set_tid_size", "cgroup",
        )
    )  # fmt: skip


class MountAttr(ctypes.Structure):
    """`struct mount_attr` of linux/mount.h."""

    _fields_ = tuple((name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd"))


class CapabilityHeader(ctypes.Structure):
    """`struct __user_cap_header_struct` of linux/capability.h."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapabilityData(ctypes.Structure):
    """`struct __user_cap_data_struct` of linux/capability.h; two of them hold 64 capabilities."""

    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


_CapabilityDataPair = CapabilityData * 2
_capability_header = CapabilityHeader(LINUX_CAPABILITY_VERSION_3, 0)


class SockFprog(ctypes.Structure):
    """`struct sock_fprog` of linux/filter.h."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _path(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def clone3(flags: int, cgroup: int | None = None) -> tuple[int, int]:
    """The pid of the new process (0 in the new process) and, with CLONE_PIDFD, a pidfd (else -1); clone(2)."""
    pidfd = ctypes.c_int(-1)
    args = CloneArgs(flags=flags, pidfd=ctypes.addressof(pidfd), cgroup=cgroup or 0)
    pid = _check(_clone3(_NR_CLONE3, ctypes.byref(args), ctypes.sizeof(args)))
    return pid, pidfd.value


def mount(source: str, target: str, fstype: str, flags: int, data: str = "") -> None:
    """mount(2)."""
    _check(_mount(_path(source), _path(target), _path(fstype), flags, _path(data)))


def umount2(target: str, flags: int) -> None:
    """umount2(2)."""
    _check(_umount2(_path(target), flags))


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    _check(_pivot_root(_path(new_root), _path(put_old)))


def open_tree(path: str, flags: int, dirfd: int = AT_FDCWD) -> int:
    """A descriptor of a mount, or with OPEN_TREE_CLONE of a detached copy of it; open_tree(2).

    With AT_EMPTY_PATH and no path, of the mount that `dirfd` is open on.
    """
    return _check(_open_tree(_NR_OPEN_TREE, dirfd, _path(path), flags))


def move_mount(tree: int, target: str, dirfd: int = AT_FDCWD, flags: int = 0) -> None:
    """Attach a detached mount; move_mount(2)."""
    flags |= MOVE_MOUNT_F_EMPTY_PATH
    _check(_move_mount(_NR_MOVE_MOUNT, tree, b"", dirfd, _path(target), flags))


def fsopen(fstype: str, flags: int) -> int:
    """A descriptor in which a file system is configured; fsopen(2)."""
    return _check(_fsopen(_NR_FSOPEN, _path(fstype), flags))


def fsconfig(fd: int, command: int) -> None:
    """fsconfig(2), for commands that take neither key nor value."""
    _check(_fsconfig(_NR_FSCONFIG, fd, command, None, None, 0))


def fsmount(fd: int, flags: int, attributes: int) -> int:
    """A detached mount of a file system that has been created; fsmount(2)."""
    return _check(_fsmount(_NR_FSMOUNT, fd, flags, attributes))


def mount_setattr(tree: int, flags: int, attr_set: int, propagation: int = 0) -> None:
    """Set attributes of a mount, or with AT_RECURSIVE of all below it, too; mount_setattr(2)."""
    attr = MountAttr(attr_set=attr_set, propagation=propagation)
    flags |= AT_EMPTY_PATH
    _check(_mount_setattr(_NR_MOUNT_SETATTR, tree, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr)))


def close_range(first: int, last: int, flags: int) -> None:
    """close_range(2)."""
    _check(_close_range(_NR_CLOSE_RANGE, first, last, flags))


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(_unshare(flags))


def setns(fd: int, nstype: int) -> None:
    """setns(2); `fd` may be a pidfd, and then `nstype` several namespaces at once."""
    _check(_setns(fd, nstype))


def sethostname(name: str) -> None:
    """sethostname(2)."""
    encoded = _path(name)
    _check(_sethostname(encoded, len(encoded)))


def prctl(option: int, value: int = 0, pointer: ctypes.Structure | None = None) -> int:
    """prctl(2), with a value, or with a value and a structure."""
    return _check(_prctl(option, value, None if pointer is None else ctypes.byref(pointer), 0, 0))


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the caller's capabilities, each a bit mask; capset(2)."""
    low, high = 0xFFFFFFFF, 32
    data = _CapabilityDataPair(
        CapabilityData(effective & low, permitted & low, inheritable & low),
        CapabilityData(effective >> high, permitted >> high, inheritable >> high),
    )
    _check(_capset(ctypes.byref(_capability_header), data))


def ioctl(fd: int, request: int, argument: bytes | int = 0) -> int:
    """ioctl(2), for requests that only read their argument."""
    return _check(_ioctl(fd, request, argument))


def fanotify_init(flags: int, event_flags: int) -> int:
    """A descriptor that tells what happens to files; fanotify_init(2)."""
    return _check(_fanotify_init(flags, event_flags))


def fanotify_mark(fd: int, flags: int, mask: int, path: str) -> None:
    """Have it tell of `path`, or of the mount or file system that it is on; fanotify_mark(2)."""
    _check(_fanotify_mark(fd, flags, mask, AT_FDCWD, _path(path)))
