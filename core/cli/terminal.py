"""The caller's terminal while a workload has one: raw, its size passed on, and restored whatever happens."""

from __future__ import annotations

import os
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from isoscope.core.errors import InputError


def require_terminal() -> int:
    """The descriptor of the terminal on standard input. Raises InputError when there is none."""
    descriptor = sys.stdin.fileno() if sys.stdin is not None else -1
    if descriptor < 0 or not os.isatty(descriptor):
        raise InputError("standard input is not a terminal", hint="leave out -t")
    return descriptor


@contextmanager
def raw(descriptor: int) -> Iterator[None]:
    """Pass every key on as it is (cfmakeraw(3)); the terminal is as before afterwards."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)  # the default would discard what has been typed ahead
        yield
    finally:
        # TCSADRAIN lets what was written arrive; a terminal that has gone needs no restoring.
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def sizes(descriptor: int, resize: Callable[[int, int], object]) -> Iterator[None]:
    """Call `resize(rows, columns)` now, and whenever the terminal's size changes (SIGWINCH)."""

    def tell() -> None:
        size = os.get_terminal_size(descriptor)
        resize(size.lines, size.columns)

    before = signal.signal(signal.SIGWINCH, lambda _number, _frame: tell())
    try:
        tell()
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
