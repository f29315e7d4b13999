"""`isoscope logs`: the output of an instance, so far or as it comes."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Self

import click
from isoscope.core.cli.context import current_lab
from isoscope.core.output import parse_entry

if TYPE_CHECKING:
    from isoscope.core.registry import Record


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the instance ends.")
@click.argument("name")
def logs(follow: bool, name: str) -> None:
    """Show the output of instance NAME, on the streams on which it came."""
    registry = current_lab().registry
    record = registry.find(name)
    try:
        file = open(record.log, "rb")  # noqa: SIM115 -- closed below; only its absence is forgiven
    except FileNotFoundError:  # nothing was ever written, or it has just been removed
        registry.find(name)
        return
    with file:
        if follow and record.exit is None:
            _follow(record, file, lambda: registry.find(record.id).exit is not None)
        else:
            _copy(file)


def _follow(record: Record, file: BinaryIO, has_ended: Callable[[], bool]) -> None:
    """Copy what is there and what comes, until the record says that the instance has ended, or its keeper is dead."""
    from isoscope.core.errors import NotFound
    from isoscope.core.inotify import IN_DELETE, IN_MODIFY, IN_MOVED_TO, Watch

    with Watch(record.directory, IN_MODIFY | IN_MOVED_TO | IN_DELETE) as watch, _Keeper(record) as keeper:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        if keeper.fd is not None:
            poll.register(keeper.fd, select.POLLIN)
        while True:
            watch.drain()
            # Asked before copying, so that what came before the end is not missed.
            try:
                over = has_ended() or not keeper.alive()
            except NotFound:  # removed with its record, which the file in hand outlives
                over = True
            _copy(file)
            if over:
                return
            poll.poll()


class _Keeper:
    """The process that keeps an instance; `fd` is readable when it ends (pidfd_open(2))."""

    def __init__(self, record: Record) -> None:
        self._owner = record.owner
        try:
            self.fd: int | None = os.pidfd_open(self._owner.pid)
        except ProcessLookupError:
            self.fd = None

    def alive(self) -> bool:
        return self.fd is not None and self._owner.alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.fd is not None:
            os.close(self.fd)


def _copy(file: BinaryIO) -> None:
    """Copy every whole entry from where the file stands; one that is still being written is left for the next time."""
    while (line := file.readline()).endswith(b"\n"):
        stream, data = parse_entry(line)
        out = sys.stdout.buffer if stream == "stdout" else sys.stderr.buffer
        out.write(data)
        out.flush()
    file.seek(-len(line), os.SEEK_CUR)
