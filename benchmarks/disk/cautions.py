"""What a reader of disk figures must know first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.disk.metrics import FLUSH
from isoscope.core.units import format_duration, format_size, parse_size

if TYPE_CHECKING:
    import pandas as pd
    from isoscope.benchmarks.results.run import Run

#: Share of what was flushed that may still be in memory: a guest writes times and superblocks when it pleases.
_STRAY = 0.5

#: How much faster than the host's own at its quickest a flush may be: they are not taken at the same time.
_FASTER = 0.5

_MEMORY = ("tmpfs", "ramfs")  # file systems without a disk


def cautions(run: Run) -> list[str]:
    """The sentences, those on the host first."""
    frame = run.trials
    mine = frame[(frame["benchmark"] == "disk") & ~frame["warmup"] & (frame["status"] == "ok")]
    rows = mine[[("phase" in labels) for labels in mine["labels"]]] if len(mine) else mine
    if rows.empty:
        return []
    return [*_host(run), *_guests(run, rows), *_paths(run, rows), *_caches(rows), *_flushes(rows)]


def _host(run: Run) -> Iterator[str]:
    filesystem = run.environment.get("home_filesystem")
    if filesystem in _MEMORY:
        yield f"The state directory is on a {filesystem}: these are figures of memory, not of a disk."
    memory = run.environment.get("host", {}).get("memory", {}).get("total")
    size = parse_size(run.terms.subject("disk").options["size"])
    if memory and size < memory:
        yield (
            f"The test file ({format_size(size)}) is smaller than the host's memory ({format_size(memory)}): what goes "
            "through a cache of the host, or of the disk below it, may never reach the medium."
        )


def _guests(run: Run, rows: pd.DataFrame) -> Iterator[str]:
    memory = run.environment.get("host", {}).get("memory", {}).get("total")
    size = parse_size(run.terms.subject("disk").options["size"])
    small: dict[float, list[str]] = {}
    for variant, one in rows.groupby("variant", sort=False):
        known = max((_number(labels, "kernel_memory") or 0) for labels in one["labels"])
        if size < known and known != memory:
            small.setdefault(known, []).append(str(variant))
    for known, variants in small.items():
        yield f"{', '.join(variants)}: the test file is smaller than the guest's memory ({format_size(known)}), too."


def _paths(run: Run, rows: pd.DataFrame) -> Iterator[str]:
    cached: dict[str, list[str]] = {}
    for variant, labels in rows.drop_duplicates("variant")[["variant", "labels"]].itertuples(index=False):
        if (cache := labels.get("cache")) in ("writeback", "writethrough", "unsafe"):
            default = "" if "cache" in run.terms.variant(str(variant)).options else ", the default,"
            cached.setdefault(f"cache={cache}{default}", []).append(str(variant))
    for cache, variants in cached.items():
        yield (
            f"{', '.join(variants)}: {cache} puts the host's page cache under the guest's disk, under direct requests, "
            "too; felter2014 used cache=none,aio=native."
        )


def _caches(rows: pd.DataFrame) -> Iterator[str]:
    for variant, one in rows.groupby("variant", sort=False):
        why = {str(labels["cached"]) for labels in one["labels"] if labels.get("cached")}
        if why:
            yield f"{variant}: caches may have been warm before some phases: {'; '.join(sorted(why)[:3])}."


def _flushes(rows: pd.DataFrame) -> Iterator[str]:
    for variant, one in rows[rows["metric"] == FLUSH.name].groupby("variant", sort=False):
        labels = list(one["labels"])
        flush = float(one["value"].median())
        if why := _free(flush, _median(labels, "write_ns"), _median(labels, "native_ns"), _median(labels, "unflushed")):
            yield f"{variant}: a flush costs nothing here: writes may be lost. {why}"


def _free(flush: float, write: float | None, native: float | None, lost: float | None) -> str:
    """How it shows that flushes are not carried out; nothing when they are."""
    if lost is not None and lost > _STRAY:
        return f"Right after the last fdatasync(2), {lost:.0%} of what it had flushed was in the host's memory alone."
    if write is not None and flush <= write:
        return f"An fdatasync(2) takes {format_duration(flush)}, the write before it {format_duration(write)}."
    if native is not None and flush < native * _FASTER:
        return f"An fdatasync(2) takes {format_duration(flush)}, and the host's own {format_duration(native)} or more."
    return ""


def _median(labels: list[dict[str, Any]], name: str) -> float | None:
    from statistics import median

    found = [value for one in labels if (value := _number(one, name)) is not None]
    return median(found) if found else None


def _number(labels: dict[str, Any], name: str) -> float | None:
    value = labels.get(name)
    return float(value) if isinstance(value, int | float) else None
