"""Draws `docs/images/phases.svg`: the phases of a start-up and what ends each; a test fails while it is out of date.

.venv/bin/python tools/phases_figure.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drawing import Box, arrow, drawing, lines

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "phases.svg"

#: Backend to its phases in order, each with what its end is.
PHASES = {
    "process": (
        ("exec", ("execve(2) has", "succeeded: a pipe", "closed by it")),
        ("ready", ("first byte of output,", "or the end without any")),
    ),
    "container": (
        ("cgroup", ("cgroup made,", "limits set")),
        ("network", ("links, addresses,", "routes are there")),
        ("clone", ("the child in its", "namespaces reports")),
        ("rootfs", ("overlay mounted,", "pivot_root(2) done")),
        ("exec", ("execve(2) has", "succeeded: a socket", "closed by it")),
        ("ready", ("first byte", "of output")),
    ),
    "vm": (
        ("define", ("QEMU runs and", "has connected")),
        ("vmm", ("first byte of the", "guest's kernel on", "its console")),
        ("kernel", ("first word of", "the guest's init")),
        ("init", ("init reports that", "it is configured")),
        ("exec", ("init reports that", "execve(2) succeeded")),
        ("ready", ("first byte", "of output")),
    ),
}

TITLE = "The phases of a start-up, for process, container and virtual machine"
DESCRIPTION = (
    "Three rows of boxes from Instance.start() on the left to ready on the right, not to scale. "
    + " ".join(
        f"{backend}: " + "; ".join(f"{name}, until {' '.join(words).replace(',', '')}" for name, words in phases) + "."
        for backend, phases in PHASES.items()
    )
    + " In each row the phases follow each other without a gap, and their sum is startup.ready."
)

WIDTH, LEFT, ROW, TOP = 880, 92, 128, 52
HEIGHT = TOP + ROW * len(PHASES) + 20


def _figure() -> Iterator[str]:
    yield f'<text class="note" x="{LEFT}" y="22">Instance.start() is called</text>'
    yield f'<text class="word" style="text-anchor: end" x="{WIDTH - 12}" y="22">ready</text>'
    yield arrow(((LEFT, 34), (WIDTH - 12, 34)))
    for row, (backend, phases) in enumerate(PHASES.items()):
        top = TOP + ROW * row
        yield f'<rect class="band" x="0" y="{top}" width="{WIDTH}" height="{ROW - 10}" rx="6"/>'
        yield from lines(LEFT / 2, top + 32, (backend,), "heading")
        wide = (WIDTH - 12 - LEFT) / len(phases)
        for place, (name, words) in enumerate(phases):
            x = LEFT + wide * (place + 0.5)
            yield from Box(x, top + 14, "meet" if name == "ready" else "own", (name,), wide).draw()
            yield from lines(x, top + 62, words, "small")


def figure() -> str:
    """The whole drawing."""
    return drawing(WIDTH, HEIGHT, TITLE, DESCRIPTION, _figure())


if __name__ == "__main__":
    FILE.write_text(figure())
