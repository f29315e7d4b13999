"""Ctrl-C and SIGTERM while measuring: what is done is kept, and nothing on the host is left half made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run


class Interrupted(KeyboardInterrupt):
    """A comparison was stopped by a signal. Its run, with all that was finished, is in `run`."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
        self.run: Run | None = None

    def _render_traceback_(self) -> list[str]:
        """In a notebook, a line in place of a traceback."""
        where = "" if self.run is None else f"; what is done is in {str(self.run.directory)!r}, and resume=True goes on"
        return [f"{self}{where}"]


class Interrupts:
    """Turns SIGINT and SIGTERM into `Interrupted`, while it is open as a context manager.

    Under `shield()` the first signal waits until the shield is lowered; a second one does not. Python delivers signals
    to the main thread alone: in any other thread this does nothing.
    """

    def __init__(self) -> None:
        self._shields = 0
        self._pending: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextmanager
    def shield(self) -> Iterator[None]:
        """What happens in here is not cut in two by a first signal."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if not self._shields and self._pending is not None:
                number, self._pending = self._pending, None
                raise Interrupted(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._shields and self._pending is None:
            self._pending = number
            return
        raise Interrupted(number)
