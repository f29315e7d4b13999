"""From an error to the limit that it was."""

from __future__ import annotations

import errno
import os

import pytest
from isoscope.benchmarks.density.cause import limit_behind
from isoscope.benchmarks.density.limits import Usage
from isoscope.core.errors import HostError, InstanceFailed, Timeout

ROOM = {"memory": Usage(1, 100), "pids": Usage(1, 100), "mounts": Usage(1, 100)}


def system(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (system(errno.EMFILE), "file descriptors"),
        (system(errno.ENFILE), "open files"),
        (system(errno.ENOMEM), "memory"),
        (system(errno.ENOSPC), "disk space"),
        (caused(HostError("cannot make x"), system(errno.EDQUOT)), "disk space"),
        (HostError("phase clone, step 'clone3 CLONE_NEWNET': No space left on device (ENOSPC)"), "namespaces"),
        (HostError("phase clone, step 'clone3': Resource temporarily unavailable (EAGAIN)"), "pids"),
        (HostError("phase cgroup, step 'mkdir /x': No space left on device"), "cgroups"),
        (InstanceFailed("libvirt cannot start the virtual machine: cannot fork: Cannot allocate memory"), "memory"),
        (InstanceFailed("libvirt: Too many open files"), "file descriptors"),
        (caused(HostError("cannot watch x", hint="see fs.inotify"), system(errno.EMFILE)), "inotify instances"),
        (HostError("cannot add a port: Exchange full (EXFULL)"), "links"),
        (HostError("the bridge has no address left"), "addresses"),
        (HostError("something else is missing"), "the host"),
        (InstanceFailed("the guest's kernel panicked"), None),
        (ZeroDivisionError("a defect"), None),
        (Timeout("it was not ready within 60 s"), None),
    ],
)
def test_an_error_is_told_from_a_limit(error, limit):
    assert limit_behind(error, ROOM, idle=0.5) == limit


def test_who_waits_in_vain_on_a_busy_host_waits_for_cpu():
    assert limit_behind(Timeout("not ready within 60 s"), ROOM, idle=0.01) == "cpu"


def test_what_is_used_up_is_what_the_host_lacks():
    usage = {**ROOM, "pids": Usage(99, 100)}
    assert limit_behind(HostError("it does not work"), usage, idle=0.5) == "pids"
    full = {**ROOM, "mounts": Usage(100, 100)}
    assert limit_behind(system(errno.ENOSPC), full, idle=0.5) == "mounts"
