"""`isoscope stats`: what instances use, once or once a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.instances import find, for_each
from isoscope.core.cli.output import print_json, print_table, table
from isoscope.core.errors import IsoscopeError, NotFound, StateError, Unsupported
from isoscope.core.units import format_duration, format_size

if TYPE_CHECKING:
    from isoscope.core.instance import Stats
    from isoscope.core.remote import RemoteInstance

_COLUMNS = ("NAME", "CPU %", "CPU TIME", "MEMORY", "LIMIT", "PEAK", "TASKS")
_PERIOD = 1.0  #: seconds between two looks


@dataclass(frozen=True)
class _Sample:
    """What one instance had used at one moment."""

    name: str
    at_ns: int
    stats: Stats
    limits: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "at_ns": self.at_ns, **asdict(self.stats), "limits": self.limits}


@click.command()
@click.option("--no-stream", "once", is_flag=True, help="Print one look and end.")
@json_option
@click.argument("names", metavar="[NAME...]", nargs=-1)
def stats(once: bool, as_json: bool, names: tuple[str, ...]) -> None:
    """Show the CPU time, memory and tasks of instances, by default of all that run, once a second.

    CPU % is of one CPU, over the time since the look before. --json prints one look: times in nanoseconds, sizes in
    bytes, `at_ns` on the host's monotonic clock. What cannot be told is null.
    """
    if as_json:
        print_json([sample.as_dict() for sample in _look(names)])
    elif once or not sys.stdout.isatty():
        print_table(_COLUMNS, _rows(_look(names), {}))
    else:
        _follow(names)


def _look(names: tuple[str, ...]) -> list[_Sample]:
    """A sample of each instance. A name given must be one that runs; unnamed ones that do not are left out."""
    samples: list[_Sample] = []
    if names:
        for_each(names, lambda instance: samples.append(_sample(instance)))
        return samples
    for record in current_lab().registry:
        if record.exit is None:
            try:
                samples.append(_sample(find(record.id)))
            except (StateError, NotFound, Unsupported, _held()):
                continue
    return samples


def _held() -> type[IsoscopeError]:
    from isoscope.core.remote import Held

    return Held


def _sample(instance: RemoteInstance) -> _Sample:
    used = instance.stats()
    return _Sample(instance.record.name, time.monotonic_ns(), used, instance.record.workload["resources"])


def _follow(names: tuple[str, ...]) -> None:
    from isoscope.core.cli.output import console
    from rich.live import Live

    samples = _look(names)
    before: dict[str, _Sample] = {}
    with Live(table(_COLUMNS, _rows(samples, before)), console=console(), auto_refresh=False) as live:
        while samples or not names:
            time.sleep(_PERIOD)
            before = {sample.name: sample for sample in samples}
            samples = _look(names)
            live.update(table(_COLUMNS, _rows(samples, before)), refresh=True)


def _rows(samples: list[_Sample], before: dict[str, _Sample]) -> list[tuple[object, ...]]:
    return [
        (
            sample.name,
            _cpu_percent(before.get(sample.name), sample),
            _shown(format_duration, sample.stats.cpu_ns),
            _shown(format_size, sample.stats.memory),
            _shown(format_size, sample.limits.get("memory")),
            _shown(format_size, sample.stats.memory_peak),
            sample.stats.pids,
        )
        for sample in samples
    ]


def _cpu_percent(before: _Sample | None, now: _Sample) -> str | None:
    if before is None or before.stats.cpu_ns is None or now.stats.cpu_ns is None:
        return None
    return f"{100 * (now.stats.cpu_ns - before.stats.cpu_ns) / (now.at_ns - before.at_ns):.1f}"


def _shown(shape: Callable[[float], str], value: float | None) -> str | None:
    return None if value is None else shape(value)
