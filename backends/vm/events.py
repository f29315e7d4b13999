"""libvirt as a guest in this process: its event loop on a daemon thread, its log silenced."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_thread: threading.Thread | None = None


def start() -> None:
    """Start the loop. To be called before anything else is done with libvirt; idempotent."""
    global _thread  # noqa: PLW0603 -- the loop is the process's, as it is libvirt's
    with _lock:
        if _thread is None:
            with _quiet():
                import libvirt
            libvirt.registerErrorHandler(_ignore, None)  # else each error is printed, beside being raised
            libvirt.virEventRegisterDefaultImpl()
            _thread = threading.Thread(target=_run, name="isoscope-libvirt", daemon=True)
            _thread.start()


def _run() -> None:
    import libvirt

    while True:
        libvirt.virEventRunDefaultImpl()


@contextmanager
def _quiet() -> Iterator[None]:
    """While libvirt is loaded, it reads where to log to: by default, its warnings go to standard error."""
    name = "LIBVIRT_LOG_OUTPUTS"
    if name in os.environ:
        yield
        return
    os.environ[name] = "4:file:/dev/null"
    try:
        yield
    finally:
        del os.environ[name]


def _ignore(_context: object, _error: object) -> None:
    pass
