"""What would change the verdict: found by asking again with one thing changed, never by prose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from isoscope.benchmarks.advise.fields import FIELDS, PROFILE, Field
from isoscope.benchmarks.advise.subject import Subject
from isoscope.benchmarks.results.quantity import number
from isoscope.core.units import format_duration

#: Points of a range that are looked at, and how often the place between two of them is halved.
_POINTS, _HALVINGS = 24, 20

#: From the most lenient value of a number to the strictest, or from the least to the greatest.
_RANGES = {
    "startup": (3600.0, 1e-4),
    "max_slowdown": (100.0, 1.0),
    "density": (1.0, 1e6),
    "lifetime": (30 * 86400.0, 1e-3),
}

#: Fields where a value more does not ask for more of the same, but for something else.
_USUAL = {"kernel": "host", "os": "linux", "device": "none"}


@dataclass(frozen=True)
class Change:
    """Another value of one field, and what the answer would then be; None for none that is known."""

    field: str
    value: Any
    answer: str | None
    sentence: str


def changes(subject: Subject, answer: Callable[[Subject], str | None]) -> list[Change]:
    """Every single field whose other value gives another answer; of numbers, the nearest threshold."""
    now = answer(subject)
    found: list[Change] = []
    for field in FIELDS:
        found += _words(subject, field, answer, now) if field.choices else _number(subject, field, answer, now)
    return found


def _words(
    subject: Subject, field: Field, answer: Callable[[Subject], str | None], now: str | None
) -> Iterator[Change]:
    current = subject[field.name]
    for text in field.choices:
        value = field.read(text)
        if value == (_USUAL.get(field.name, False) if current is None else current):
            continue
        then = answer(subject.having(**{field.name: value}))
        if then != now:
            words = text if field.choices != ("false", "true") else ("wanted" if value else "not wanted")
            yield Change(field.name, value, then, f"if {field.name} were {words}")


def _number(
    subject: Subject, field: Field, answer: Callable[[Subject], str | None], now: str | None
) -> Iterator[Change]:
    weight = field.table == PROFILE and field.name not in _RANGES
    if field.name == "starts":
        return  # it is a budget that never refuses
    points = [n / _POINTS for n in range(_POINTS + 1)] if weight else list(_logarithmic(*_RANGES[field.name]))
    current = subject[field.name]

    def at(x: float) -> str | None:
        return answer(subject.having(**{field.name: round(x) if field.name == "density" else x}))

    for way in _ways(points, 0.0 if weight and current is None else current):
        before = way[0]
        for x in way[1:]:
            if at(x) != now:
                near, far = before, x
                for _ in range(_HALVINGS):
                    middle = (near + far) / 2
                    near, far = (middle, far) if at(middle) == now else (near, middle)
                side = "below" if far < near else "above"
                yield Change(field.name, far, at(far), f"if {field.name} were {side} {_written(field.name, far)}")
                break
            before = x


def _ways(points: list[float], current: float | None) -> Iterator[list[float]]:
    """From the current value, or from the most lenient, outwards on each side."""
    if current is None:
        yield points
        return
    yield [current, *sorted(x for x in points if x > current)]
    yield [current, *sorted((x for x in points if x < current), reverse=True)]


def _logarithmic(first: float, last: float) -> Iterator[float]:
    for n in range(_POINTS + 1):
        yield first * (last / first) ** (n / _POINTS)


def _written(name: str, value: float) -> str:
    if name in ("startup", "lifetime"):
        return format_duration(value * 1e9)
    return str(round(value)) if name == "density" else number(value)
