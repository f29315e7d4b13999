"""Installs a seccomp filter and looks whether the kernel obeys it."""

from __future__ import annotations

import ctypes
import errno
import struct

from isoscope.core.host.probes import libc
from isoscope.core.host.probes.report import attempt

#: A number that no architecture gives to a system call: unfiltered, the kernel answers ENOSYS.
_NO_CALL = 0x3FFF
_LOAD_WORD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000  # linux/seccomp.h


def main(_: list[str]) -> None:
    """Say what becomes of `install` and `obey`."""
    if attempt("install", _install):
        attempt("obey", _provoke)


def _install() -> None:
    program = b"".join(
        struct.pack("<HBBI", *instruction)
        for instruction in (
            (_LOAD_WORD, 0, 0, 0),  # the system call's number
            (_JUMP_EQUAL, 0, 1, _NO_CALL),
            (_RETURN, 0, 0, _ERRNO | errno.EXDEV),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    libc.call("prctl", libc.PR_SET_SECCOMP, ctypes.c_ulong(libc.SECCOMP_MODE_FILTER), header)


def _provoke() -> None:
    try:
        libc.call("syscall", ctypes.c_long(_NO_CALL))
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
