"""Progress on standard error: a bar with the time left on a terminal, a line for what matters elsewhere.

Drawn between trials only: a thread that redraws would take its share of the CPU in the middle of what is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from isoscope.core.cli.output import printable
from isoscope.core.units import format_duration

_Event = dict[str, Any]


@contextmanager
def display() -> Iterator[Callable[[_Event], None]]:
    """What to call with each event of a comparison's progress."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.close()


class _Lines:
    """For logs: a line at the beginning, for each note and failure, and one for each block."""

    def __init__(self) -> None:
        self._block = -1

    def __call__(self, event: _Event) -> None:
        text = _text(event)
        if event["event"] == "trial":
            if event["block"] == self._block:
                return
            self._block = event["block"]
            text = f"{'warm-up ' if event['warmup'] else ''}block {self._block}{_left(event)}"
        if text:
            print(printable(text), file=sys.stderr, flush=True)  # noqa: T201


class _Bar:
    """For terminals."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
        )
        self._left = ""
        self._task = self._progress.add_task("preparing", total=None, left="")
        self._progress.start()

    def __call__(self, event: _Event) -> None:
        if event["event"] == "begin":
            self._progress.update(self._task, total=event["trials"], completed=event["made"])
        elif event["event"] == "trial":
            kind = "warm-up" if event["warmup"] else f"block {event['block']}"
            name = f"{kind}, {event['benchmark']}, {event['variant']}"
            self._left = _left(event).removeprefix(", ")
            self._progress.update(self._task, description=printable(name), left=self._left)
        elif event["event"] == "step":
            self._progress.update(self._task, left=", ".join(filter(None, (printable(event["text"]), self._left))))
        elif event["event"] == "made":
            self._progress.advance(self._task)
        if text := _text(event):
            self._progress.console.print(printable(text), markup=False, highlight=False)
        self._progress.refresh()

    def close(self) -> None:
        self._progress.stop()


def _text(event: _Event) -> str:
    """What is worth a line of its own."""
    match event["event"]:
        case "image":
            return f"image {event['image']}"
        case "begin":
            again = f", {event['made']} of them made before" if event["made"] else ""
            most = "at most " if event["at_most"] else ""
            return f"{most}{event['trials']} trials{again}, into {event['directory']}"
        case "note":
            return f"note: {event['text']}"
        case "made" if event["status"] == "failed":
            name = f"{event['benchmark']}, {event['variant']}, block {event['block']}"
            return f"failed: {name}: {event['reason'].partition(chr(10))[0]}"
        case "summary":
            return "writing summary and report"
    return ""


def _left(event: _Event) -> str:
    return "" if event["left_ns"] is None else f", {format_duration(event['left_ns'])} left"
