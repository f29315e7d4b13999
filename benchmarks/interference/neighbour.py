"""The neighbour: an instance that takes what it can get, seen to be at work, and asked in the end what it did."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic_ns
from typing import Any

from isoscope.benchmarks.benchmark import Label, Trial
from isoscope.core.errors import IsoscopeError, StateError, Timeout, Unsupported, WorkloadFailed
from isoscope.core.instance import Instance, Status
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
        """What it did since it was at work, as labels. It has ended then."""
        labels: dict[str, Label] = {"neighbour_active": self._instance.status is Status.RUNNING}
        span, cpu_ns = monotonic_ns() - self._since, _cpu_ns(self._instance)
        if cpu_ns is not None and self._cpu_ns is not None:
            labels["neighbour_cpus"] = round((cpu_ns - self._cpu_ns) / span, 3)
        report = self._report() if labels["neighbour_active"] else {}
        return labels | {label: report[name] for name, label in _REPORTED.items() if isinstance(report.get(name), int)}

    def _report(self) -> dict[str, Any]:
        """The line that it prints at its end; empty when it does not come to that."""
        try:
            self._instance.kill(signal.SIGTERM)
            self._instance.wait(_END)
        except (Timeout, StateError):
            return {}
        try:
            found = json.loads(_output(self._instance).splitlines()[-1])
        except (ValueError, IndexError):
            return {}
        return found if isinstance(found, dict) else {}


@contextmanager
def neighbour(trial: Trial, name: str, *, amount: int, seconds: int, resources: Resources) -> Iterator[Neighbour]:
    """A neighbour that is at work, deleted at the end whatever happens.

    `seconds` is after what time it ends by itself. Raises WorkloadFailed when it ended before it was at work.
    """
    command = ("hog", name, str(seconds), str(amount))
    workload = replace(trial.workload, name="", command=command, resources=resources)
    with trial.instance(workload) as instance:
        instance.start()
        instance.wait_ready(trial.timeout)  # its first word is that it is at work
        if _output(instance)[:6] != "active":
            how = instance.wait(_END)
            told = _output(instance).strip().rpartition("\n")[2][-_LAST_WORDS:]
            oom = ", killed for want of memory" if how.oom_killed else ""
            raise WorkloadFailed(
                f"the neighbour {name} ended with status {how.exit_status}{oom} before it was at work", hint=told
            )
        yield Neighbour(instance)


def _output(instance: Instance) -> str:
    return b"".join(data for _, data in read_log(instance.record.log)).decode("utf-8", "replace")


def _cpu_ns(instance: Instance) -> int | None:
    try:
        return instance.stats().cpu_ns
    except Unsupported:
        return None
    except (IsoscopeError, OSError):  # it has ended, or is too busy to answer
        return None
