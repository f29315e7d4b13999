"""Draws `docs/images/clocks.svg`: which start-up clock runs from where to where; a test fails while it is out of date.

.venv/bin/python tools/clocks_figure.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drawing import drawing, lines

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "clocks.svg"

#: What happens when an instance is started, in order. The distances are of the drawing, not of time.
MOMENTS = (
    ("asked", "the command is typed"),
    ("create", "create() is called"),
    ("start", "start() is called"),
    ("vmm", "clone(2), or exec of the VMM"),
    ("boot", "the VMM is told to run the guest"),
    ("kernel", "the guest's kernel begins"),
    ("init", "the guest's init begins"),
    ("exec", "execve(2) of the command has succeeded"),
    ("output", "its first byte is seen on the host"),
    ("ended", "the command has ended"),
    ("deleted", "all of it is removed"),
    ("returned", "the tool's own process has ended"),
)


@dataclass(frozen=True)
class Clock:
    """A span that somebody calls start-up."""

    name: str
    begins: str
    ends: str
    own: bool = False


CLOCKS = (
    Clock("isoscope: startup.ready", "start", "output", own=True),
    Clock("isoscope: startup.total", "start", "deleted", own=True),
    Clock("time docker run; virtme-ng", "asked", "returned"),
    Clock("crun, youki: create, start, delete", "asked", "deleted"),
    Clock("vanrijn2021: docker run, to its output", "asked", "output"),
    Clock("li2022-rund: crictl runp, no command", "asked", "init"),
    Clock("young2019: .Created to .StartedAt", "create", "exec"),
    Clock("manco2017-lightvm: create to booted", "create", "init"),
    Clock("agache2020, end to end", "vmm", "ended"),
    Clock("Firecracker's 125 ms", "boot", "init"),
)

TITLE = "Which start-up clock is which"
_PLACE = {key: place for place, (key, _) in enumerate(MOMENTS, start=1)}

DESCRIPTION = (
    "A row of moments from left to right, not to scale: "
    + "; ".join(f"{place}, {words}" for place, (_, words) in enumerate(MOMENTS, start=1))
    + ". Below it a bar for each clock, from the moment at which it starts to the one at which it stops. "
    + "; ".join(f"{clock.name}: from {_PLACE[clock.begins]} to {_PLACE[clock.ends]}" for clock in CLOCKS)
    + ". Isoscope's own two are filled, the others are not."
)

WIDTH, LEFT, RIGHT, TOP, ROW = 880, 270, 850, 66, 30
LEGEND = TOP + ROW * len(CLOCKS) + 34
HALF = (len(MOMENTS) + 1) // 2
HEIGHT = LEGEND + 17 * HALF + 6


def _x(moment: str) -> float:
    return LEFT + (RIGHT - LEFT) * (_PLACE[moment] - 1) / (len(MOMENTS) - 1)


def _figure() -> Iterator[str]:
    bottom = TOP + ROW * len(CLOCKS)
    yield f'<rect class="band" x="0" y="{TOP - 8}" width="{WIDTH}" height="{bottom - TOP + 12}" rx="6"/>'
    for number, (key, _) in enumerate(MOMENTS, start=1):
        yield f'<line class="signal" x1="{_x(key):g}" y1="36" x2="{_x(key):g}" y2="{bottom + 4}"/>'
        yield from lines(_x(key), 26, (str(number),), "heading")
    for row, clock in enumerate(CLOCKS):
        y, begins = TOP + ROW * row, _x(clock.begins)
        yield f'<text class="note" x="10" y="{y + 15}">{clock.name}</text>'
        yield (
            f'<rect class="box {"own mine" if clock.own else "host"}" x="{begins:g}" y="{y}" '
            f'width="{_x(clock.ends) - begins:g}" height="20" rx="3"/>'
        )
    for place, (_, words) in enumerate(MOMENTS):
        x, y = (10, 450)[place // HALF], LEGEND + 17 * (place % HALF)
        yield f'<text class="note" x="{x}" y="{y}">{place + 1}  {words}</text>'


def figure() -> str:
    """The whole drawing."""
    return drawing(WIDTH, HEIGHT, TITLE, DESCRIPTION, _figure())


if __name__ == "__main__":
    FILE.write_text(figure())
