"""A run that nobody measured, with the shapes of all benchmarks: dimensions, failures, what is unavailable, TCG."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoscope.benchmarks.harness.terms import NotRun, Subject, Terms
from isoscope.benchmarks.metric import Direction, Metric
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.benchmarks.results import trials
from isoscope.benchmarks.results.files import write_json
from isoscope.benchmarks.startup.metrics import PHASES, STARTUP, phase
from isoscope.core.workload import Workload

VARIANTS = ("process", "container", "vm")

LOWER, HIGHER = Direction.LOWER, Direction.HIGHER

#: What each variant multiplies a cost with; a rate is divided by it.
COST = {"process": 1.0, "container": 1.03, "vm": 9.0}


@dataclass
class Shape:
    """A benchmark as it looks in a run: its metrics, and what its trials find at each of its dimensions."""

    name: str
    headline: tuple[Metric, ...]
    values: Mapping[str, float]  #: of the baseline, by metric
    dimensions: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    details: tuple[Metric, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    #: By variant: the reason for which it has no value, as `failed` or `unavailable`.
    missing: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def metric(name: str, unit: str, direction: Direction) -> Metric:
    return Metric(name, unit, direction, f"What {name} is, from where to where.")


def shapes() -> tuple[Shape, ...]:
    """Startup as it is; the others with metrics of their own, for no benchmark draws what it does not know."""
    return (
        Shape(
            "startup",
            STARTUP,
            {"startup.ready": 2.6e6, "startup.total": 4.8e6},
            details=tuple(phase(name) for name in PHASES),
        ),
        Shape(
            "pack",
            (metric("pack.marginal", "B", LOWER), metric("pack.fit", "1", HIGHER)),
            {"pack.marginal": 700 * 1024, "pack.fit": 21000.0},
            options={"most": "1000"},
        ),
        Shape(
            "store",
            (metric("store.throughput", "B/s", HIGHER), metric("store.latency", "ns", LOWER)),
            {"store.throughput": 1.4e9, "store.latency": 85e3},
            dimensions={"phase": ("seq-read", "seq-write", "rand-read", "rand-write", "rand-mixed")},
            options={"size": "64M", "runtime": "2"},
            missing={"vm": ("failed", "fio ended with status 1 (No space left on device)")},
        ),
        Shape(
            "wire",
            (metric("wire.throughput", "B/s", HIGHER), metric("wire.latency", "ns", LOWER)),
            {"wire.throughput": 3e9, "wire.latency": 31e3},
            dimensions={"path": ("host-to-instance", "instance-to-instance")},
            missing={"process": ("unavailable", "backend 'process' lacks what 'wire' needs: network bridge")},
        ),
        Shape(
            "calls",
            (metric("calls.time", "ns", LOWER),),
            {"calls.time": 310.0},
            dimensions={
                "call": ("getpid", "open-close", "read-4k", "write-4k", "fork-exec-wait", "mmap-touch", "switch")
            },
        ),
        Shape(
            "beside",
            (metric("beside.slowdown", "1", LOWER),),
            {"beside.slowdown": 1.02},
            dimensions={"neighbour": ("competing", "orthogonal", "adversarial"), "limits": ("with", "without")},
        ),
    )


def make(
    directory: Path,
    *,
    blocks: int = 10,
    variants: tuple[str, ...] = VARIANTS,
    shapes: tuple[Shape, ...] | None = None,
    seed: int = 7,
    slower: float = 1.0,
    accelerator: str = "tcg",
    change: Callable[[dict[str, Any]], None] = lambda _: None,
    rename: Callable[[str], str] = lambda text: text,
) -> Path:
    """Write a run into a folder: manifest, environment and trials, as the harness would. Returns the folder.

    `slower` multiplies what the container costs, `change` may edit the environment, `rename` the names that come from
    strangers: reasons, workloads, dimensions.
    """
    parts = globals()["shapes"]() if shapes is None else shapes
    directory.mkdir(parents=True)
    terms = Terms(
        subjects=tuple(
            Subject(
                benchmark=part.name,
                workload=Workload(name=rename("hello"), image="base", command=("echo", rename("hello"))),
                image="sha256:" + "ab" * 32,
                headline=part.headline,
                details=part.details,
                dimensions=tuple(part.dimensions),
                options=part.options,
                harness="null" if part.name == "startup" else None,
            )
            for part in parts
        ),
        variants=variants,
        baseline="process" if "process" in variants else variants[0],
        blocks=blocks,
        seed=seed,
        created_at="2026-01-02T03:04:05Z",
        versions={"isoscope": "0.1.0", "python": "3.11.2", "kernel": "6.18.0", "qemu": "7.2.0", "libvirt": "9.0.0"},
        host={"cpu": "A Fast CPU @ 2.50GHz", "logical_cpus": 2, "kernel": "6.18.0"},
        not_run=(NotRun("gvisor", rename("there is no runsc"), "apt install runsc"),),
    )
    write_json(directory / "manifest.json", terms.as_dict())
    environment = host()
    change(environment)
    write_json(directory / "environment.json", environment)
    writer = _Writer(terms, {part.name: part for part in parts}, slower, accelerator, rename, random.Random(seed))
    with (directory / trials.FILE).open("w") as file:
        for row in writer.rows():
            file.write(json.dumps(row) + "\n")
    return directory


@dataclass
class _Writer:
    """The lines of `trials.jsonl`."""

    terms: Terms
    parts: Mapping[str, Shape]
    slower: float
    accelerator: str
    rename: Callable[[str], str]
    random: random.Random

    def rows(self) -> Iterator[dict[str, Any]]:
        for order, cell in enumerate(self.terms.cells()):
            part = self.parts[cell.benchmark]
            subject = self.terms.subject(cell.benchmark)
            common = {
                "schema": 1,
                "benchmark": cell.benchmark,
                "variant": cell.variant,
                "backend": cell.variant.partition(":")[0],
                "workload": subject.workload.name,
                "image": subject.image,
                "block": cell.block,
                "trial": cell.trial,
                "order": order,
                "warmup": cell.warmup,
                "started_at": "2026-01-02T03:04:05Z",
            }
            for found in self._values(part, cell.variant):
                yield {**common, "status": "ok", "reason": None, **found}

    def _values(self, part: Shape, variant: str) -> Iterator[dict[str, Any]]:
        backend = variant.partition(":")[0]
        proof: dict[str, Any] = {"kernel": "6.1.0-guest" if backend == "vm" else "6.18.0"}
        if backend == "vm":
            proof["accelerator"] = self.accelerator
        if backend in part.missing:
            status, reason = part.missing[backend]
            for one in (*part.headline, END_OF_TRIAL):
                yield {
                    "metric": one.name,
                    "value": None,
                    "unit": one.unit,
                    "status": status,
                    "reason": self.rename(reason),
                    "labels": {},
                }
        else:
            for one in part.headline:
                for place, labels in enumerate(self._places(part)):
                    yield self._row(one, part.values[one.name], backend, place, {**labels, **proof})
            yield from self._phases(part, backend, proof)
            yield {"metric": END_OF_TRIAL.name, "value": 1e6, "unit": "ns", "labels": {}}

    def _places(self, part: Shape) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{}]
        for name, values in part.dimensions.items():
            found = [{**labels, name: self.rename(str(value))} for labels in found for value in values]
        return found

    def _row(self, one: Metric, value: float, backend: str, place: int, labels: dict[str, Any]) -> dict[str, Any]:
        cost = COST.get(backend, 0.01) * (self.slower if backend == "container" else 1.0)
        cost **= 1 if one.direction is LOWER else -1
        if one.name.startswith(("startup", "phase")):
            cost = {"process": 1, "container": 2.2 * self.slower, "vm": 490}.get(backend, 0.01)
        noise = math.exp(self.random.gauss(0, 0.05))
        return {
            "metric": one.name,
            "value": value * cost * (1 + place * 0.8) * noise,
            "unit": one.unit,
            "labels": labels,
        }

    def _phases(self, part: Shape, backend: str, proof: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not part.details:
            return
        names = {
            "process": ("exec", "ready"),
            "container": ("cgroup", "network", "clone", "rootfs", "exec", "ready"),
            "vm": ("define", "vmm", "kernel", "init", "exec", "ready"),
        }.get(backend, ())
        for name in names:
            yield self._row(phase(name), part.values["startup.ready"] / len(names), backend, 0, proof)


def host() -> dict[str, Any]:
    """`environment.json` of a host that is at rest."""
    moment = {
        "at": "2026-01-02T03:04:05Z",
        "load": [0.1, 0.2, 0.3],
        "memory_available": 20 << 30,
        "busy": 0.01,
        "cpu_ticks": {"total": 1000, "idle": 900, "steal": 0},
        "instances": 0,
        "leftovers": 0,
    }
    return {
        "schema": 1,
        "host": {
            "kernel": {"release": "6.18.0"},
            "cpu": {"model": "A Fast CPU @ 2.50GHz", "cores": 1, "logical": 2},
            "memory": {"total": 24 << 30},
            "virtualized": {"nested": True},
            "distribution": {"name": "Debian GNU/Linux 12 (bookworm)"},
            "kvm": {"status": "emulated", "reason": "a guest's instructions take 100 times as long as they should"},
            "cgroups": {"layout": "hybrid"},
        },
        "cpu": {
            "governor": [],
            "turbo": None,
            "mitigations": {"spectre_v2": "Mitigation: IBRS", "mds": "Not affected"},
        },
        "memory": {"transparent_hugepages": "madvise", "ksm": "0"},
        "home_filesystem": "ext4",
        "namespaces": ["mnt:[1]", "net:[2]"],
        "versions": {"isoscope": "0.1.0", "python": "3.11.2", "kernel": "6.18.0", "qemu": "7.2.0", "libvirt": "9.0.0"},
        "before": moment,
        "after": {**moment, "cpu_ticks": {"total": 3000, "idle": 2000, "steal": 50}},
        "notes": [],
        "earlier": [],
    }
