"""How long to wait for what is not sure to come, on hosts of very different speed."""

from __future__ import annotations

from isoscope.core import settings
from isoscope.core.errors import InputError


def patience(seconds: float) -> float:
    """The deadline, as a host of usual speed has it, stretched by ISOSCOPE_PATIENCE. Raises InputError."""
    text = settings.PATIENCE.read() or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = 0
    if not 1 <= factor <= 1000:
        name = settings.PATIENCE.name
        raise InputError(f"{name}={text} is not a factor from 1 to 1000", hint="unset it, or write 10")
    return seconds * factor
