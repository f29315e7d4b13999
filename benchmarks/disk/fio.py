"""Running fio in an instance, and reading what it reports (fio(1), --output-format=json)."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import Any

from isoscope.benchmarks.disk.phases import Job
from isoscope.benchmarks.inside import run_inside
from isoscope.core.errors import InstanceFailed, Timeout, WorkloadFailed
from isoscope.core.instance import Instance

#: Seconds within which an instance that died under fio is known to have.
_NEWS = 2.0

#: What fio says on its last line, and what it means.
_TROUBLES = {
    "No space left on device": "the disk is full",
    "O_DIRECT": "the file system knows no O_DIRECT",
    "direct=1": "the file system knows no O_DIRECT",
    "Input/output error": "the disk gives an input/output error, as a VM's does when the host's disk is full",
}


@dataclass(frozen=True)
class Side:
    """The reads, or the writes, of a job."""

    bandwidth: float  #: B/s
    iops: float
    mean: float  #: ns from submission to completion
    p50: float
    p99: float


@dataclass(frozen=True)
class Report:
    """What fio found in one job."""

    sides: dict[str, Side]  #: `read`, `write`: those that there were
    runtime: float  #: seconds that were counted
    flush: float | None  #: ns, the median of fdatasync(2)
    writes: int  #: that were counted
    raw: bytes


def run(instance: Instance, job: Job, *, timeout: float) -> Report:
    """Carry out a job.

    Raises WorkloadFailed when fio fails or its report cannot be read, CommandNotFound when the image lacks it, Timeout
    after `timeout` seconds, and InstanceFailed when the instance died meanwhile.
    """
    try:
        output = run_inside(instance, ["fio", "--output-format=json", *job.arguments()], timeout=timeout)
    except Timeout:
        raise Timeout(
            f"fio's phase {job.name!r} did not end within {timeout:g} s", hint="see the disk's load"
        ) from None
    except WorkloadFailed as error:
        if type(error) is not WorkloadFailed:
            raise
        raise _failure(instance, job, error) from error
    return read(output, job.name)


def check(instance: Instance, job: Job, *, timeout: float) -> None:
    """Have fio read a job, and do nothing. Raises what `run` raises."""
    run_inside(instance, ["fio", "--parse-only", *job.arguments()], timeout=timeout)


def nothing(what: str) -> WorkloadFailed:
    """The error of a job, or of one side of it, in which nothing was completed."""
    return WorkloadFailed(f"fio completed nothing in phase {what!r}", hint="give it a longer runtime")


def read(output: str, phase: str) -> Report:
    """The report in what fio printed. Raises WorkloadFailed when there is none, or one of a job that failed."""
    try:
        data = json.loads(output[output.index("{") :])
        (job,) = data["jobs"]
        failed = os.strerror(int(job["error"])) if job["error"] else ""
        report = Report(
            sides={side: _side(job[side]) for side in ("read", "write") if int(job[side]["total_ios"])},
            runtime=max(float(job[side]["runtime"]) for side in ("read", "write")) / 1000,
            flush=_flush(job["sync"]["lat_ns"]),
            writes=int(job["write"]["total_ios"]),
            raw=output.encode(),
        )
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise WorkloadFailed(
            f"fio's report of phase {phase!r} cannot be read: {error!r}", hint="see which fio the image has"
        ) from error
    if failed:
        raise WorkloadFailed(f"fio failed in phase {phase!r}: {failed}", hint=_meaning(failed))
    if not report.sides or not report.runtime:
        raise nothing(phase)
    return report


def _side(data: Any) -> Side:
    times = data["clat_ns"]
    return Side(
        _positive(data["bw_bytes"]),
        _positive(data["iops"]),
        _positive(times["mean"]),
        _percentile(times, "50"),
        _percentile(times, "99"),
    )


def _flush(times: Any) -> float | None:
    return _percentile(times, "50") if int(times.get("N", 0)) else None


def _percentile(times: Any, percent: str) -> float:
    return _positive(times["percentile"][f"{percent}.000000"])


def _positive(number: Any) -> float:
    if not 0 < (found := float(number)) < math.inf:
        raise ValueError(f"{number!r} is no measure")
    return found


def _failure(instance: Instance, job: Job, error: WorkloadFailed) -> Exception:
    """What really happened when fio ended with another status than 0."""
    try:
        instance.wait(_NEWS if error.command_status > 128 else 0)
    except Timeout:
        said = error.hint or error.message
        meaning = _meaning(said)
        return WorkloadFailed(
            f"fio failed in phase {job.name!r}: {meaning or error.message}",
            hint=said,
            command_status=error.command_status,
        )
    return InstanceFailed(f"the instance ended in fio's phase {job.name!r}", hint=error.message)


def _meaning(said: str) -> str:
    return next((meaning for words, meaning in _TROUBLES.items() if words in said), "")
