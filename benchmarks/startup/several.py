"""Several instances asked for at once: how long until the last is ready, and each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from statistics import median
from time import monotonic

from isoscope.benchmarks.benchmark import Label, Trial, Value
from isoscope.benchmarks.descriptors import Descriptors
from isoscope.benchmarks.fleet import Fleet
from isoscope.benchmarks.startup.benchmark import LINGER, READY, own_end
from isoscope.benchmarks.startup.metrics import MAKESPAN, phase
from isoscope.core.errors import InstanceFailed, IsoscopeError
from isoscope.core.instance import Instance

#: Threads that make and delete the instances, outside the clock. Each has a thread of its own when it is started.
_MAKERS = 8

#: Descriptors that one instance takes of this process, at most.
_DESCRIPTORS = 16


def measure_at_once(trial: Trial, count: int) -> Iterator[Value]:
    """Makespan, each instance's time, and the phases of the median one. Raises InstanceFailed when not all start."""
    with Descriptors() as descriptors, Fleet(trial, min(count, _MAKERS)) as fleet:
        instances = [fleet.create()]
        descriptors.make_room(_DESCRIPTORS, count)
        instances += fleet.create_many(count - 1)
        errors = [error for one in fleet.start_at_once(instances) if (error := one.exception()) is not None]
        if errors:
            first = errors[0]
            told = first.message if isinstance(first, IsoscopeError) else f"{type(first).__name__}: {first}"
            raise InstanceFailed(f"{len(errors)} of {count} instances did not start; the first: {told}") from first
        deadline = monotonic() + LINGER
        for instance in instances:
            own_end(instance, max(0.0, deadline - monotonic()))
    yield from _values(trial, instances)


def _values(trial: Trial, instances: Sequence[Instance]) -> Iterator[Value]:
    moments = [instance.timeline.moments for instance in instances]
    makespan = max(each["ready"] for each in moments) - min(each["start"] for each in moments)
    proof: dict[str, Label] = dict(instances[0].proof())
    own: dict[str, Label] = {"at_once": len(instances)}
    if "accelerator" in proof:
        own["accelerator"] = proof["accelerator"]
    yield Value(MAKESPAN, makespan, {**proof, **own})
    for each in moments:
        yield Value(READY, each["ready"] - each["start"], own)
    for name, span in _median_phases(instances).items():
        yield Value(phase(name), span, own)
    origin = min(each["start"] for each in moments)
    since = [{name: at - origin for name, at in each.items()} for each in moments]
    trial.keep("timelines.json", json.dumps(since).encode())


def _median_phases(instances: Sequence[Instance]) -> dict[str, float]:
    """Phases between the median moments, so that they add up to the median of `startup.ready`."""
    ends: dict[str, list[int]] = {}
    for instance in instances:
        at = 0
        for name, span in instance.timeline.phases().items():
            at += span
            ends.setdefault(name, []).append(at)
    spans, before = {}, 0.0
    for name, moments in ends.items():
        spans[name] = median(moments) - before
        before = median(moments)
    return spans
