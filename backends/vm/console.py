"""The serial console: the kernel's and the init's first signs of life, and the last words of a guest that fails."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns

#: What the init says first; see images/guest/init/console.c.
_INIT_SIGN = b"isoscope-init:"

_TAIL_BYTES = 1 << 14
_TAIL_LINES = 12
_PANIC = "Kernel panic"
_LARGEST_LOG = 1 << 20  #: bytes: a guest can write to its console for ever, a disk cannot take that


class Console:
    """Follows what the guest says on its serial console and keeps it in a file."""

    def __init__(self, log: Path, on_kernel: Callable[[int], None], on_init: Callable[[int], None]) -> None:
        self._log = log.open("wb", buffering=0)
        self._on_kernel, self._on_init = on_kernel, on_init
        self._tail = b""
        self._init_seen = False

    def received(self, data: bytes) -> None:
        """A piece arrived, now."""
        at_ns = monotonic_ns()
        if not data:
            return
        if not self._tail:
            self._on_kernel(at_ns)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if not self._init_seen and _INIT_SIGN in self._tail:
            self._init_seen = True
            self._on_init(at_ns)
        with suppress(ValueError, OSError):  # closed by another thread, or a full disk: it is there for reading only
            if self._log.tell() < _LARGEST_LOG:
                self._log.write(data)

    def tail(self) -> str:
        """The last lines, fit to be printed, or a word on why there are none."""
        text = self._tail.decode("utf-8", "replace").replace("\r", "")
        lines = ["".join(c for c in line if c.isprintable()) for line in text.splitlines()]
        for number, line in enumerate(lines):
            if _PANIC in line:  # what led there tells more than the registers that come after
                lines = lines[max(0, number - _TAIL_LINES // 2) :][:_TAIL_LINES]
                break
        return "\n".join(lines[-_TAIL_LINES:]) or "(nothing)"

    @property
    def panicked(self) -> bool:
        """Whether the guest's kernel said that it gave up."""
        return _PANIC.encode() in self._tail

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._log.close()
