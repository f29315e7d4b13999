"""Several instances asked for at once, beside others that run: how long until the last is ready, and each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from statistics import median
from time import monotonic

from isoscope.benchmarks.benchmark import Label, Trial, Value
from isoscope.benchmarks.descriptors import Descriptors
from isoscope.benchmarks.fleet import Fleet
from isoscope.benchmarks.harness.agree import HARNESS
from isoscope.benchmarks.startup.benchmark import LINGER, READY, cool, own_end
from isoscope.benchmarks.startup.metrics import MAKESPAN, phase
from isoscope.core.errors import InputError, InstanceFailed, IsoscopeError
from isoscope.core.instance import Instance, Status

#: Threads that make and delete the instances, outside the clock. Each has a thread of its own when it is started.
_MAKERS = 8

#: Descriptors that one instance takes of this process, at most.
_DESCRIPTORS = 16


def measure_several(trial: Trial, at_once: Sequence[int], beside: Sequence[int], stay: set[str]) -> Iterator[Value]:
    """For each number of others, ascending, and each number at once: see `_Burst`.

    `stay` is told of variants whose workload does not end by itself: its end need not be waited for again. Raises
    InstanceFailed when not all start, InputError when the others do not stay.
    """
    with Descriptors() as descriptors, Fleet(trial, min(max(*beside, 1), _MAKERS)) as fleet:
        others: list[Instance] = []
        for number in beside:
            others += _grow(fleet, number - len(others), descriptors, beside[-1] + at_once[-1])
            for count in at_once:
                burst = _Burst(trial, count, number if beside != (0,) else None)
                if not burst.run(descriptors, 0.0 if str(trial.variant) in stay else LINGER):
                    stay.add(str(trial.variant))
                if trial.variant.backend != HARNESS:  # which runs nothing, neither beside nor at all
                    _check_stay(others)
                trial.keep(_file(count, number, several=len(at_once) * len(beside) > 1), burst.timelines())
                yield from burst.values()


def _file(count: int, number: int, *, several: bool) -> str:
    return f"timelines-{count}-beside-{number}.json" if several else "timelines.json"


def _grow(fleet: Fleet, count: int, descriptors: Descriptors, most: int) -> list[Instance]:
    """More others, ready."""
    if not count:
        return []
    made = [fleet.create()]
    descriptors.make_room(_DESCRIPTORS, most)
    made += fleet.create_many(count - 1)
    for outcome in fleet.start_each(made):
        outcome.result()
    return made


def _check_stay(others: Sequence[Instance]) -> None:
    gone = sum(one.status is not Status.RUNNING for one in others)
    if gone:
        raise InputError(
            f"{gone} of {len(others)} instances that were to run beside have ended",
            hint="give a workload that stays, such as `sleep`",
        )


class _Burst:
    """So many instances of which each is started by a thread of its own, all in the same moment."""

    def __init__(self, trial: Trial, count: int, beside: int | None) -> None:
        self._trial, self._count = trial, count
        self._labels: dict[str, Label] = {"at_once": count}
        if beside is not None:
            self._labels["beside"] = beside
        self._instances: list[Instance] = []

    def run(self, descriptors: Descriptors, linger: float) -> bool:
        """Start them, and delete them; whether all had ended by themselves. Raises InstanceFailed, WorkloadFailed."""
        with Fleet(self._trial, min(self._count, _MAKERS)) as fleet:
            self._instances = [fleet.create()]
            descriptors.make_room(_DESCRIPTORS, self._count)
            self._instances += fleet.create_many(self._count - 1)
            cool(self._trial)
            outcomes = fleet.start_at_once(self._instances)
            errors = [error for one in outcomes if (error := one.exception()) is not None]
            if errors:
                first = errors[0]
                told = first.message if isinstance(first, IsoscopeError) else f"{type(first).__name__}: {first}"
                raise InstanceFailed(
                    f"{len(errors)} of {self._count} instances did not start; the first: {told}"
                ) from first
            deadline = monotonic() + linger
            ends = [own_end(instance, max(0.0, deadline - monotonic())) for instance in self._instances]
        return None not in ends

    def values(self) -> Iterator[Value]:
        """Makespan, each instance's time, and the phases of the median one."""
        moments = [instance.timeline.moments for instance in self._instances]
        makespan = max(each["ready"] for each in moments) - min(each["start"] for each in moments)
        proof: dict[str, Label] = dict(self._instances[0].proof())
        own = dict(self._labels)
        if "accelerator" in proof:
            own["accelerator"] = proof["accelerator"]
        yield Value(MAKESPAN, makespan, {**proof, **own})
        for each in moments:
            yield Value(READY, each["ready"] - each["start"], own)
        for name, span in _median_phases(self._instances).items():
            yield Value(phase(name), span, own)

    def timelines(self) -> bytes:
        """All moments of each instance, in nanoseconds since the first start, to be kept."""
        moments = [instance.timeline.moments for instance in self._instances]
        origin = min(each["start"] for each in moments)
        return json.dumps([{name: at - origin for name, at in each.items()} for each in moments]).encode()


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
