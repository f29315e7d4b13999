"""young2019/syscalls: what a call into the kernel costs behind filters, and behind gVisor."""

from __future__ import annotations

from typing import ClassVar

from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.recipe import Match, Needs, Plan, Recipe, Setting, System

#: The study's words for a call, and ours.
_CALLS = {
    "getuid-style system call": "getpid",
    "read 4 KB": "read",
    "write 4 KB": "write",
    "open and close": "open+close",
}
_BLOCKS = 12
_SECONDS, _QUICK_SECONDS = 0.25, 0.1  #: of each call
_REPETITIONS, _QUICK_REPETITIONS = 20, 5
_ALL_CALLS = 7  #: that the program makes, the study's among them


class Syscalls(Recipe):
    """The program `syscalls` in each, against the same without isolation."""

    study: ClassVar[str] = "young2019"
    item: ClassVar[str] = "syscalls"
    summary: ClassVar[str] = "system calls: runc, gVisor and our container against native"
    needs: ClassVar[Needs] = Needs(root=True, images=("bench",))

    def plan(self, here: Here, *, quick: bool) -> Plan:
        seconds, repetitions = (_QUICK_SECONDS, _QUICK_REPETITIONS) if quick else (_SECONDS, _REPETITIONS)
        return Plan(
            clock="there and here the instance's own, over a loop of calls; here the host's beside it, as a check",
            systems=(
                System("native", "process", "a process of the host in the image's tree"),
                System("runc", "oci:runtime=runc", "by Docker there, with its seccomp profile"),
                System("gvisor-ptrace", "oci:runtime=runsc", "the distribution's runsc, on its ptrace platform"),
                System("container", "container", "not in the study: ours, with its own seccomp profile"),
                System("vm", "vm", "not in the study"),
            ),
            baseline="native",
            benchmarks=(f"syscall:time={seconds:g},repetitions={repetitions}",),
            matches=tuple(
                Match(words, "latency", "syscall", "syscall.time", {"call": call}, factor=1e-3, short=words)
                for words, call in _CALLS.items()
            ),
            settings=(
                Setting(
                    "calls",
                    "100 measurements of each call",
                    f"{repetitions} repetitions of a loop of {seconds / repetitions:g} s, in each block",
                    "a call is shorter than what a clock tells apart: hence the loop; blocks give the interval",
                ),
                Setting("getuid", "getuid(2)", "getpid(2)", "either does next to nothing in the kernel"),
                Setting(
                    "read and write",
                    "4 KB of a file",
                    "pread(2) and pwrite(2) of 4 KiB at the beginning of a file on the root, from the page cache",
                    "the same work in the kernel without a seek between",
                ),
                Setting(
                    "kernel",
                    "of 2019",
                    "this host's",
                    "mitigations and what a filter costs differ: hence ratios, and bands",
                ),
            ),
            blocks=_BLOCKS,
            trial_seconds=_ALL_CALLS * seconds * 1.6 + 1.5,
            left_out={
                "gvisor-kvm": "gVisor's KVM platform needs a KVM that works" if not here.kvm else "not chosen here"
            },
        )
