"""Progress: a bar on a terminal, a line for what matters in a log, a line that changes in a notebook.

Drawn between trials only: a thread that redraws would take its share of the CPU in the middle of what is measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from isoscope.core.cli.output import printable
from isoscope.core.display import in_notebook
from isoscope.core.units import format_duration

_Event = dict[str, Any]


@contextmanager
def unless_told(progress: Callable[[_Event], None] | None) -> Iterator[Callable[[_Event], None]]:
    """The caller's own; where there is none, a notebook's, and elsewhere nothing."""
    if progress is not None or not in_notebook():
        yield progress or (lambda _: None)
        return
    cell = _Cell()
    try:
        yield cell
    finally:
        cell.close()


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


class _Cell:
    """For notebooks: one line below the cell that compares, drawn anew; notes and failures stay."""

    def __init__(self) -> None:
        from IPython.display import DisplayHandle

        self._handle = DisplayHandle()
        self._told: list[str] = []
        self._total = self._made = 0
        self._handle.display({"text/plain": "preparing"}, raw=True)

    def __call__(self, event: _Event) -> None:
        if event["event"] == "begin":
            self._total, self._made = event["trials"], event["made"]
        elif event["event"] == "made":
            self._made += 1
        if event["event"] in ("note", "made") and (text := _text(event)):
            self._told.append(text)
        now = f"{self._made} of {self._total} trials"
        if event["event"] == "trial":
            now += f", {event['benchmark']} of {event['variant']}{_left(event)}"
        elif not self._total:
            now = _text(event) or "preparing"
        self._update(now)

    def close(self) -> None:
        """What is left standing."""
        self._update(f"{self._made} trials made")

    def _update(self, now: str) -> None:
        # Plain text: names of variants are no markup, and every frontend can show it.
        self._handle.update({"text/plain": "\n".join(map(printable, [*self._told, now]))}, raw=True)


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
