"""How a command ended, or why it never ran, in what an engine says of it."""

from __future__ import annotations

import re
import signal

from isoscope.core.instance import Exit

_SIGNALS = frozenset(signal.valid_signals())
#: In the words of Go's os/exec, which runc passes on.
_REASON = re.compile(r'exec: "(?:[^"\\]|\\.)*": (?:stat [^:]*: )?([^:]+)')


def ending(code: int) -> Exit:
    """How a command ended, of which an engine gives what a shell would: above 128 it stands for a signal."""
    number = code - 128
    return Exit(signal=number) if number in _SIGNALS else Exit(code=code)


def reason(text: str) -> str:
    """Why a command cannot be executed, out of what a runtime said in many words."""
    found = _REASON.findall(text)
    return found[-1].strip() if found else text
