"""Draws `docs/images/sharing.svg`: what an instance shares with its host; a test fails while it is not up to date.

.venv/bin/python tools/sharing_figure.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drawing import Box, arrow, drawing, lines

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "sharing.svg"

TITLE = "What a process, a container, a sandbox with a kernel in user space and a virtual machine share with their host"
DESCRIPTION = """\
Four columns, each read from the top, where the workload's program runs, down to the host's kernel and the hardware.
Blue with a solid frame is the instance's own, grey with a dashed frame is shared with the host.
1, a process: the program and the image's files are its own; it sees the host's processes, users and network; its
system calls go straight to the host's kernel.
2, a container: the program and the image's files are its own; namespaces give it views of its own and a cgroup limits
it; its system calls go to the host's kernel, past a filter.
3, a kernel in user space, such as gVisor's: the program, the files and the views are its own; its system calls are
answered by a process of its own, which asks the host's kernel for little.
4, a virtual machine: program, disk and kernel are its own; its machine is made of QEMU, a process of the host, and of
KVM in the host's kernel.
Below all four lie the same host's kernel and the same hardware."""

WIDTH, HEIGHT, GUTTER, COLUMN, BOX = 880, 470, 96, 195, 179

#: Where each level begins, how high it is, and what it is about.
_BANDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (52, 52, ("program",)),
    (112, 52, ("files",)),
    (172, 66, ("what it", "sees")),
    (246, 66, ("who answers", "system calls")),
    (320, 52, ("below it",)),
)

#: A heading, and for each level whose it is and what it is.
_COLUMNS = (
    (
        "1  process",
        ("own", "program"),
        ("own", "the image's, by chroot"),
        ("shared", "processes, network, users:", "the host's"),
        ("shared", "the host's kernel"),
        None,
    ),
    (
        "2  container",
        ("own", "program"),
        ("own", "the image's, own mounts"),
        ("own", "namespaces: its own view", "cgroup: its share"),
        ("shared", "the host's kernel,", "past a filter"),
        None,
    ),
    (
        "3  kernel in user space",
        ("own", "program"),
        ("own", "the image's, own mounts"),
        ("own", "its own view", "and its share"),
        ("own", "a process that is a kernel", "(gVisor's Sentry)"),
        ("shared", "a narrow filter"),
    ),
    (
        "4  virtual machine",
        ("own", "program"),
        ("own", "a disk of its own"),
        ("own", "a machine of its own,", "of a fixed size"),
        ("own", "a kernel of its own"),
        ("shared", "QEMU, and KVM"),
    ),
)


def _middle(number: int) -> float:
    return GUTTER + COLUMN * (number + 0.5)


def _figure() -> Iterator[str]:
    for top, height, words in _BANDS:
        yield f'<rect class="band" x="0" y="{top}" width="{WIDTH}" height="{height}" rx="6"/>'
        yield from lines(GUTTER / 2, top + height / 2 + (4 if len(words) == 1 else -3), words, "level")
    for number, (heading, *cells) in enumerate(_COLUMNS):
        x = _middle(number)
        yield from lines(x, 34, (heading,), "heading")
        boxes = [
            Box(x, top + 10, cell[0], cell[1:], BOX, height - 20)
            for cell, (top, height, _) in zip(cells, _BANDS, strict=True)
            if cell is not None
        ]
        for upper, lower in zip(boxes, [*boxes[1:], None], strict=True):
            yield arrow(((x, upper.bottom), (x, lower.y if lower else 380)))
        for box in boxes:
            yield from box.draw()
    for y, words in (
        (380, ("the host's kernel: the same for all",)),
        (424, ("hardware: processors, memory, disk, network",)),
    ):
        yield from Box(WIDTH / 2 + GUTTER / 2, y, "meet", words, WIDTH - GUTTER - 16, 34).draw()


def figure() -> str:
    """The whole drawing."""
    return drawing(WIDTH, HEIGHT, TITLE, DESCRIPTION, _figure())


if __name__ == "__main__":
    FILE.write_text(figure())
