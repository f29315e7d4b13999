"""The neighbour: an instance that takes what it can get, seen to be at work, and asked in the end what it did."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import monotonic_ns
from typing import Any

from isoscope.benchmarks.benchmark import Label, Trial
from isoscope.core.errors import IsoscopeError, StateError, Timeout, Unsupported, WorkloadFailed
from isoscope.core.instance import Exit, Instance, Status
from isoscope.core.output import read_log
from isoscope.core.workload import Resources

#: Seconds that a neighbour may take to end when it is asked to; then it is deleted unasked.
_END = 10.0

#: Characters of a neighbour's last words that an error repeats.
_LAST_WORDS = 200

#: What `hog` reports of itself, and as which label.
_REPORTED = {
    "refused": "neighbour_refused",
    "bytes": "neighbour_bytes",
    "tasks": "neighbour_tasks",
    "oom_kills": "neighbour_oom_kills",
}


class Neighbour:
    """A neighbour at work."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._since, self._cpu_ns = monotonic_ns(), _cpu_ns(instance)

    def account(self) -> dict[str, Label]:
        """End it, and tell as labels whether it was still there, and what it did since it was at work.

        That it was refused memory or tasks, or killed for want of memory, is what limits are for. Raises WorkloadFailed
        when it ended for another reason.
        """
        labels: dict[str, Label] = {"neighbour_active": self._instance.status is Status.RUNNING}
        span, cpu_ns = monotonic_ns() - self._since, _cpu_ns(self._instance)
        if cpu_ns is not None and self._cpu_ns is not None:
            labels["neighbour_cpus"] = round((cpu_ns - self._cpu_ns) / span, 3)
        how = self._end()
        if how is None:  # it got so little of the processor that it could not even end
            return labels
        if how.oom_killed:
            return labels | {"neighbour_oom_kills": 1}
        words = _output(self._instance).strip().rpartition("\n")[2]
        if how.exit_status != 0:
            name = self._instance.workload.command[1]
            raise WorkloadFailed(f"the neighbour {name} ended with status {how.exit_status}", hint=words[-_LAST_WORDS:])
        report = _parse(words)
        return labels | {label: report[name] for name, label in _REPORTED.items() if isinstance(report.get(name), int)}

    def _end(self) -> Exit | None:
        with suppress(StateError):  # it has ended already
            self._instance.kill(signal.SIGTERM)
        try:
            return self._instance.wait(_END)
        except Timeout:
            return None


@contextmanager
def neighbour(trial: Trial, name: str, *, amount: int, seconds: int, resources: Resources) -> Iterator[Neighbour]:
    """A neighbour that is at work, deleted at the end whatever happens; after `seconds` it ends by itself."""
    command = ("hog", name, str(seconds), str(amount))
    workload = replace(trial.workload, name="", command=command, resources=resources)
    with trial.instance(workload) as instance:
        instance.start()
        instance.wait_ready(trial.timeout)  # its first word is that it is at work
        yield Neighbour(instance)


def _parse(words: str) -> dict[str, Any]:
    try:
        found = json.loads(words)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _output(instance: Instance) -> str:
    return b"".join(data for _, data in read_log(instance.record.log)).decode("utf-8", "replace")


def _cpu_ns(instance: Instance) -> int | None:
    try:
        return instance.stats().cpu_ns
    except Unsupported:
        return None
    except (IsoscopeError, OSError):  # it has ended, or is too busy to answer
        return None
