"""Draws `docs/images/architecture.svg`: the way of a workload through the code; a test fails while it is out of date.

.venv/bin/python tools/architecture_figure.py
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from drawing import Box, arrow, drawing, lines

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "architecture.svg"

TITLE = "The way of a workload through the code, from a command to a report"
DESCRIPTION = """\
Read from the top. 1, asked for: by the command line, core/cli, or by Python, isoscope.core.
2, core: Lab.compare in core/lab.py takes a Workload (image, command, terms) and Variants (backend and options).
3, benchmarks/harness: by the hook isoscope_compare; blocks of variants in random order, one trial after another.
4, core: for each trial, Lab.prepare checks all that can be checked, asks the image store, images, for a rootfs, and
writes a Record to disk. What a backend is given is a Launch.
5, backends: process and container start by way of the launcher, vm by libvirt and QEMU, a stranger's as it likes.
6, core: each answers with an Instance, which start, wait and delete drive; its Timeline holds the moments.
7, benchmarks/results and benchmarks/report: a line of trials.jsonl for each value, from there statistics over blocks,
summary.json, the table and report.html. Data that is handed on is drawn round and blue; what is the same for all
backends has a thick frame."""

WIDTH, GUTTER = 880, 104


@dataclass(frozen=True)
class Band:
    """A folder of the code that the way leads through."""

    top: int
    height: int
    words: tuple[str, ...]


BANDS = (
    Band(10, 62, ("1  asked",)),
    Band(84, 62, ("2  core",)),
    Band(158, 62, ("3  benchmarks/", "harness")),
    Band(232, 62, ("4  core,", "images")),
    Band(306, 106, ("5  backends",)),
    Band(424, 62, ("6  core",)),
    Band(498, 62, ("7  benchmarks/", "results, report")),
)
HEIGHT = 596


def _row(number: int, *cells: tuple[float, float, str, tuple[str, ...]]) -> list[Box]:
    """Boxes in a band; those of data are round."""
    y = BANDS[number - 1].top + 10
    return [Box(x, y, look, words, width, corner=19 if look == "own" else 4) for x, width, look, words in cells]


def _parts() -> Iterator[Box | str]:
    command, python = _row(
        1,
        (310, 220, "host", ("isoscope compare hello", "core/cli")),
        (640, 220, "host", ("Lab().compare('hello')", "from Python")),
    )
    workload, lab, variant = _row(
        2,
        (205, 170, "own", ("Workload", "image, command, terms")),
        (475, 200, "meet", ("Lab.compare", "core/lab.py")),
        (755, 200, "own", ("Variant", "backend and its options")),
    )
    [harness] = _row(3, (475, 400, "host", ("blocks of variants in random order", "one trial after another")))
    store, prepare, launch = _row(
        4,
        (205, 170, "host", ("image store", "layers, rootfs")),
        (475, 200, "meet", ("Lab.prepare", "checks, writes the Record")),
        (755, 200, "own", ("Launch", "all that a backend is given")),
    )
    process, container, machine, other = _row(
        5,
        (190, 140, "host", ("process",)),
        (370, 140, "host", ("container",)),
        (570, 140, "host", ("vm",)),
        (765, 170, "host", ("yours", "by a hook")),
    )
    top = BANDS[4].top + 62
    launcher = Box(280, top, "host", ("launcher", "clones, mounts, executes"), 200)
    libvirt = Box(570, top, "host", ("libvirt, QEMU", "the guest's init"), 160)
    instance, timeline = _row(
        6,
        (370, 260, "meet", ("Instance", "start, wait, delete")),
        (690, 220, "own", ("Timeline", "moments on one clock")),
    )
    trials, statistics, report = _row(
        7,
        (205, 170, "own", ("trials.jsonl", "a line for each value")),
        (475, 200, "host", ("statistics", "over blocks")),
        (755, 200, "own", ("summary.json, table,", "report.html")),
    )
    yield from (command, python, workload, lab, variant, harness, store, prepare, launch)
    yield from (process, container, machine, other, launcher, libvirt)
    yield from (instance, timeline, trials, statistics, report)
    yield arrow(((command.x, command.bottom), (command.x, 78), (445, 78), (445, lab.y)))
    yield arrow(((python.x, python.bottom), (python.x, 78), (505, 78), (505, lab.y)))
    yield arrow(((workload.x + 85, lab.y + 20), (lab.x - 100, lab.y + 20)))
    yield arrow(((variant.x - 100, lab.y + 20), (lab.x + 100, lab.y + 20)))
    yield arrow(((lab.x, lab.bottom), (lab.x, harness.y)))
    yield arrow(((harness.x, harness.bottom), (harness.x, prepare.y)))
    yield arrow(((store.x + 85, store.y + 20), (prepare.x - 100, store.y + 20)))
    yield arrow(((prepare.x + 100, store.y + 20), (launch.x - 100, store.y + 20)))
    for box in (process, container, machine, other):
        yield arrow(((launch.x, launch.bottom), (launch.x, 300), (box.x, 300), (box.x, box.y)))
    yield arrow(((process.x, process.bottom), (process.x + 30, launcher.y)))
    yield arrow(((container.x, container.bottom), (container.x - 30, launcher.y)))
    yield arrow(((machine.x, machine.bottom), (machine.x, libvirt.y)))
    yield arrow(((launcher.x, launcher.bottom), (launcher.x + 30, instance.y)))
    yield arrow(((libvirt.x, libvirt.bottom), (libvirt.x, 418), (450, 418), (450, instance.y)))
    yield arrow(((other.x, other.bottom), (other.x, 418), (450, 418), (450, instance.y)))
    yield arrow(((instance.x + 130, instance.y + 20), (timeline.x - 110, instance.y + 20)))
    yield arrow(((timeline.x, timeline.bottom), (timeline.x, 492), (trials.x, 492), (trials.x, trials.y)))
    yield arrow(((trials.x + 85, trials.y + 20), (statistics.x - 100, trials.y + 20)))
    yield arrow(((statistics.x + 100, trials.y + 20), (report.x - 100, trials.y + 20)))


def _figure() -> Iterator[str]:
    for band in BANDS:
        yield f'<rect class="band" x="0" y="{band.top}" width="{WIDTH}" height="{band.height}" rx="6"/>'
        yield from lines(
            GUTTER / 2, band.top + band.height / 2 + (4 if len(band.words) == 1 else -3), band.words, "level"
        )
    parts = list(_parts())
    yield from (part for part in parts if isinstance(part, str))
    for part in parts:  # boxes above the lines
        if isinstance(part, Box):
            yield from part.draw()
    yield from lines(
        GUTTER, 582, ("Round and blue: data that is handed on. Thick: what is the same for all backends.",), "note"
    )


def figure() -> str:
    """The whole drawing."""
    return drawing(WIDTH, HEIGHT, TITLE, DESCRIPTION, _figure())


if __name__ == "__main__":
    FILE.write_text(figure())
