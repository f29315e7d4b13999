"""What fio is asked to do: the phases of two studies, the layout of the file before them, and the flushes after them.

Each job is kept as text in the run's folder; the arguments that fio gets are made of the same parameters.
Sources: Felter et al., An Updated Performance Comparison of Virtual Machines and Linux Containers, IBM RC25482, 2014.
A. Agache et al., Firecracker: Lightweight Virtualization for Serverless Applications, NSDI 2020; its `etc/fio-vm.cfg`.
Parameters: fio(1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isoscope.core.errors import InputError

#: Bytes at the beginning of the file that the flushes are about: few enough for each to be written again and again.
FLUSHED = 1 << 20


@dataclass(frozen=True)
class Job:
    """One run of fio."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The job file, which `fio FILE` carries out again."""
        return f"[{self.name}]\n" + "".join(f"{key}={value}\n" for key, value in self.parameters.items())

    def arguments(self) -> list[str]:
        """The same as arguments of fio."""
        return [f"--name={self.name}", *(f"--{key}={value}" for key, value in self.parameters.items())]


@dataclass(frozen=True)
class Phase:
    """One access pattern."""

    name: str
    rw: str  #: fio's word for the pattern
    block: str
    depth: int  #: requests under way, for each of the jobs
    jobs: int = 1
    fsync: int = 0  #: writes between one fsync(2) and the next; 0 for none

    @property
    def sequential(self) -> bool:
        """Whether bytes are what counts, and not requests."""
        return "rand" not in self.rw

    @property
    def series(self) -> dict[str, str]:
        """Names of the phase's series by what fio reports: `read`, `write`; a mixed phase has one of each."""
        if self.rw == "randrw":
            return {"read": f"{self.name}-reads", "write": f"{self.name}-writes"}
        return {"read" if "read" in self.rw else "write": self.name}


PHASES = (
    Phase("seq-write", "write", "1M", 16),
    Phase("seq-read", "read", "1M", 1),
    Phase("seq-read-qd2", "read", "1M", 2),
    Phase("rand-write", "randwrite", "4k", 16),
    Phase("rand-write-x8", "randwrite", "4k", 16, 8),
    Phase("rand-read", "randread", "4k", 16),
    Phase("rand-read-x8", "randread", "4k", 16, 8),
    Phase("mixed", "randrw", "4k", 32, 8),
)

#: Those of the Firecracker paper, which are made when they are named.
FIRECRACKER = (
    Phase("fc-read-4k", "randread", "4k", 32),
    Phase("fc-read-4k-qd1", "randread", "4k", 1),
    Phase("fc-write-4k", "randwrite", "4k", 32, fsync=32),
    Phase("fc-read-128k", "randread", "128k", 32),
    Phase("fc-write-128k", "randwrite", "128k", 32, fsync=32),
)


@dataclass(frozen=True)
class Plan:
    """The jobs on one file."""

    file: str
    size: int  #: bytes
    runtime: float  #: seconds of each phase that count
    ramp: float  #: seconds before them that do not

    def layout(self) -> Job:
        """Write the whole file once: blocks never written would be read from nowhere, at the speed of memory."""
        return self._job(
            "layout", rw="write", bs="1M", ioengine="libaio", iodepth=16, direct=1, fallocate="none", end_fsync=1
        )

    def phase(self, phase: Phase) -> Job:
        """A phase, by the clock."""
        mixed = {"rwmixread": 70} if phase.rw == "randrw" else {}
        flushed = {"fsync": phase.fsync} if phase.fsync else {}
        return self._timed(
            phase.name,
            rw=phase.rw,
            **mixed,
            **flushed,
            bs=phase.block,
            ioengine="libaio",
            iodepth=phase.depth,
            numjobs=phase.jobs,
            direct=1,
            ramp_time=_milliseconds(self.ramp),
        )

    def flush(self) -> Job:
        """One small write after another through the page cache, each followed by fdatasync(2)."""
        return self._timed("flush", rw="randwrite", bs="4k", ioengine="psync", fdatasync=1, size=FLUSHED)

    def _timed(self, name: str, **parameters: object) -> Job:
        timed = {"time_based": 1, "runtime": _milliseconds(self.runtime), "randrepeat": 0, "group_reporting": 1}
        return self._job(name, **parameters, **timed)

    def _job(self, name: str, **parameters: object) -> Job:
        whole = {"filename": self.file, "size": self.size, "thread": 1, **parameters}
        return Job(name, {key: str(value) for key, value in whole.items() if value is not None})


def read_phases(text: str) -> tuple[Phase, ...]:
    """Phases by name, written with `+` between them, in the order of their study. Raises InputError."""
    known = {phase.name: phase for phase in (*PHASES, *FIRECRACKER)}
    if text == "all":
        return PHASES
    wanted = text.split("+")
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(
            f"there is no phase {unknown[0]!r}", hint=f"write all, or some with + between: {'+'.join(known)}"
        )
    return tuple(phase for phase in known.values() if phase.name in wanted)


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
