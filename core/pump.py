"""One thread per lab that waits on every file descriptor the instances hand it: output pipes, pidfds, guest channels.

Output is timed where it arrives, so a caller that is late to ask still gets the true moment, and a chatty workload
never stalls on a full pipe because nobody happened to be waiting for it.
"""

from __future__ import annotations

import logging
import os
import selectors
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Pump:
    """Calls back, on its own thread, when a registered file descriptor is readable or hung up.

    The thread starts with the first descriptor and ends with `close()`; it is a daemon, so it never keeps an
    interpreter alive. Callbacks must not block. One that raises is logged and its descriptor dropped.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._closed = False

    def add(self, fd: int, callback: Callable[[], None]) -> None:
        """Call `callback` whenever `fd` is readable, until `remove(fd)`.

        epoll(7) takes new descriptors while another thread waits in it, so the thread needs no waking.
        """
        with self._lock:
            self._selector.register(fd, selectors.EVENT_READ, callback)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="isoscope-pump", daemon=True)
                self._thread.start()

    def remove(self, fd: int) -> None:
        """Forget `fd`; to be called before it is closed. Unknown descriptors are ignored."""
        with self._lock:
            try:
                self._selector.unregister(fd)
            except (KeyError, ValueError):
                return

    def close(self) -> None:
        """End the thread and release its descriptors. Idempotent."""
        if self._closed:
            return
        self._closed = True
        os.eventfd_write(self._wake, 1)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._selector.close()
        os.close(self._wake)

    def _run(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select():
                # A callback earlier in this batch may have removed the descriptor, or closed it and had its number
                # given to another: only a registration that still stands is called.
                if key.data is None or self._selector.get_map().get(key.fd) is not key:
                    continue
                try:
                    key.data()
                except Exception:
                    _log.exception("callback for descriptor %d failed; it is dropped", key.fd)
                    self.remove(key.fd)
