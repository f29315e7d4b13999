"""The runs of this host that are found in some folders, read from their summaries: no frames, and in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoscope.benchmarks.results.files import read_json
from isoscope.core.errors import InputError
from isoscope.core.lab import Lab

#: What must be the same for a run to be of this host; another kernel's figures are worth measuring again.
_SAME = ("cpu", "logical_cpus", "memory", "kernel")

#: Of a series in summary.json: those that are read here.
_FIELDS = frozenset(
    {"benchmark", "metric", "variant", "accelerator", "labels", "direction", "blocks"}
    | {"p50", "least", "greatest", "median_interval", "ratio"}
)


def this_host(lab: Lab) -> dict[str, Any]:
    """What tells this host from others, as runs keep it."""
    host = lab.host
    return {
        "cpu": host.cpu.model,
        "logical_cpus": host.cpu.logical,
        "memory": host.memory.total,
        "kernel": host.kernel.release,
    }


@dataclass(frozen=True)
class PastRun:
    """A run's folder, without its trials: what was asked, and what came of it."""

    directory: Path
    manifest: Mapping[str, Any]
    environment: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def created_at(self) -> str:
        """RFC 3339, in UTC: texts in the order of time."""
        return str(self.manifest["created_at"])

    def subject(self, benchmark: str) -> Mapping[str, Any] | None:
        """A benchmark's terms, or None when it was not measured."""
        return next((one for one in self.manifest["benchmarks"] if one["benchmark"] == benchmark), None)

    def unlike(self, host: Mapping[str, Any]) -> list[str]:
        """What of its host is not as here."""
        facts = self.environment.get("host", {})
        there = {**self.manifest["host"], "memory": facts.get("memory", {}).get("total")}
        return [name for name in _SAME if not _alike(name, there.get(name), host[name])]


def _alike(name: str, there: Any, here: Any) -> bool:
    """Equal; of memory, nearly: the kernel keeps a little more or less of it from one start to the next."""
    if name == "memory" and isinstance(there, int):
        return bool(abs(there - here) <= here / 100)
    return bool(there == here)


@dataclass(frozen=True)
class Passed:
    """A folder that was passed over, and why."""

    directory: Path
    why: str


@dataclass(frozen=True)
class Past:
    """The runs of this host, the newest first, and what was passed over."""

    runs: tuple[PastRun, ...] = ()
    passed: tuple[Passed, ...] = ()

    @property
    def variants(self) -> tuple[str, ...]:
        """Every variant of which there is something; a twin's second label is none."""
        names = (v for run in self.runs for v in run.manifest["variants"] if v not in run.manifest.get("twins", {}))
        return tuple(dict.fromkeys(names))


def past(folders: Iterable[Path], host: Mapping[str, Any]) -> Past:
    """The runs in folders, each a run itself or a folder of runs, that were made on this host."""
    runs: list[PastRun] = []
    passed: list[Passed] = []
    for directory in {path.absolute(): path for folder in folders for path in _runs(folder)}.values():
        try:
            run = read(directory)
            differs = run.unlike(host)
        except (InputError, KeyError, TypeError, AttributeError) as error:
            passed.append(Passed(directory, f"it is no whole run: {getattr(error, 'message', repr(error))}"))
            continue
        if differs:
            passed.append(Passed(directory, f"made on another host: other {', '.join(differs)}"))
        else:
            runs.append(run)
    return Past(tuple(sorted(runs, key=lambda run: run.created_at, reverse=True)), tuple(passed))


def read(directory: Path) -> PastRun:
    """A run's folder. Raises InputError; KeyError, TypeError or AttributeError where its files hold something else."""
    manifest, summary = (read_json(directory / name) for name in ("manifest.json", "summary.json"))
    path = directory / "environment.json"
    if not all(one.keys() >= _FIELDS and one["median_interval"].keys() >= {"low", "high"} for one in summary["series"]):
        raise InputError(f"a series of {directory / 'summary.json'} lacks a field", hint=f"isoscope report {directory}")
    return PastRun(directory, manifest, read_json(path) if path.exists() else {}, summary)


def _runs(folder: Path) -> Iterator[Path]:
    if (folder / "manifest.json").exists():
        yield folder
    elif folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if (path / "manifest.json").exists())
