"""Which limit it was that kept an instance from starting, told from the error and from what is used up."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping

from isoscope.benchmarks.density import limits
from isoscope.benchmarks.density.limits import Usage
from isoscope.core.errors import Fault, IsoscopeError, Timeout

#: What the kernel says by itself.
_BY_ERRNO = {
    errno.ENOMEM: limits.MEMORY,
    errno.EMFILE: limits.DESCRIPTORS,
    errno.ENFILE: limits.OPEN_FILES,
    errno.EAGAIN: limits.PIDS,  # clone(2)
    errno.EXFULL: limits.LINKS,  # a port for a bridge that has none left
    errno.EDQUOT: limits.DISK,
}

#: What ENOSPC is about, by what was being done: clone(2) and unshare(2), mkdir(2) of a cgroup.
_NO_SPACE = ((r"clone|namespace", limits.NAMESPACES), (r"cgroup", limits.CGROUPS))

_NEARLY = 0.98  #: share of a limit that is as good as all of it
_BUSY = 0.05  #: share of idle CPU time below which the CPU is what everything waits for


def limit_behind(error: BaseException, usage: Mapping[str, Usage], idle: float | None) -> str | None:
    """The name of the limit that stopped an instance; None when it is no limit but a failure of the instance's own.

    `usage` is what was used of each limit just after, `idle` the share of CPU time that was idle at the last look.
    """
    text = " ".join(_words(error))
    for number in _errnos(error, text):
        if number == errno.EMFILE and "inotify" in text:
            return limits.WATCHES
        if number == errno.ENOSPC:
            return _no_space(text, usage)
        if number in _BY_ERRNO:
            return _BY_ERRNO[number]
    if isinstance(error, Timeout) and idle is not None and idle < _BUSY:
        return limits.CPU
    if isinstance(error, IsoscopeError) and error.fault is Fault.HOST:
        if re.search(r"\baddress", text):
            return limits.ADDRESSES
        return _used_up(usage) or "the host"
    return None


def _errnos(error: BaseException, text: str) -> Iterator[int]:
    """The error numbers in a chain of errors: as such, by name, or in libc's words, as libvirt passes them on."""
    for each in _chain(error):
        if isinstance(each, OSError) and each.errno is not None:
            yield each.errno
    for number in (*_BY_ERRNO, errno.ENOSPC):
        if f"({errno.errorcode[number]})" in text or os.strerror(number).lower() in text.lower():
            yield number


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__ or each.__context__


def _words(error: BaseException) -> Iterator[str]:
    for each in _chain(error):
        yield str(each)
        if isinstance(each, IsoscopeError):
            yield each.hint


def _no_space(text: str, usage: Mapping[str, Usage]) -> str:
    used_up = _used_up(usage)
    if used_up == limits.MOUNTS:
        return used_up
    return next((name for pattern, name in _NO_SPACE if re.search(pattern, text)), limits.DISK)


def _used_up(usage: Mapping[str, Usage]) -> str | None:
    return next((name for name, one in usage.items() if one.used >= _NEARLY * one.most), None)
