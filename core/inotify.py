"""inotify(7): hear of changes below a directory without asking again and again."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Self

# linux/inotify.h
IN_MODIFY = 0x0002
IN_MOVED_TO = 0x0080
IN_DELETE = 0x0200

_EVENTS = 64 * (16 + 256)  #: bytes: many a struct inotify_event with its name


class Watch:
    """Changes of the entries of a directory. A context manager; its descriptor becomes readable with a change."""

    def __init__(self, directory: Path, mask: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        if libc.inotify_add_watch(self._fd, os.fsencode(directory), ctypes.c_uint32(mask)) < 0:
            error = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(error, os.strerror(error), str(directory))

    def fileno(self) -> int:
        """The descriptor, for poll(2)."""
        return self._fd

    def drain(self) -> None:
        """Take the changes so far, whatever they were: the caller looks for himself."""
        try:
            while os.read(self._fd, _EVENTS):
                pass
        except BlockingIOError:
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
