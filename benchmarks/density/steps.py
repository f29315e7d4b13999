"""At how many instances a ramp stops to look."""

from __future__ import annotations

from collections.abc import Iterator


def steps(upto: int) -> Iterator[int]:
    """1, 2, 5, 10, 20, 50 and so on, and at the end `upto` itself."""
    decade = 1
    while True:
        for step in (decade, 2 * decade, 5 * decade):
            if step >= upto:
                yield upto
                return
            yield step
        decade *= 10
