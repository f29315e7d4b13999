"""What the host's kernel counts while a test runs: interrupts, and exits from virtual machines that KVM runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns

from isoscope.core.errors import Unsupported
from isoscope.core.instance import Instance

#: Rows of /proc/interrupts that count no interrupts but what went wrong with some; arch/x86/kernel/irq.c.
_NO_INTERRUPTS = ("ERR", "MIS")

_DEBUGFS = Path("sys/kernel/debug")

#: The counter of all exits among those of a virtual machine; the others tell some of them by their reasons.
EXITS = "exits"


@dataclass(frozen=True)
class Rates:
    """Of each kind so many a second. None where nobody counts."""

    interrupts: Mapping[str, float]
    exits: Mapping[str, float] | None = None
    no_exits: str = ""  #: why; empty also where no end is a virtual machine

    @property
    def all_interrupts(self) -> float:
        """Of any kind, devices', timers' and those between processors."""
        return sum(self.interrupts.values())

    @property
    def all_exits(self) -> float | None:
        """Of any kind."""
        return None if self.exits is None else self.exits.get(EXITS, 0.0)


@dataclass(frozen=True)
class Events:
    """The counters at one moment."""

    at: int  #: nanoseconds of the monotonic clock
    interrupts: Mapping[str, int]  #: since the host started
    exits: Mapping[str, int] | None = None  #: since the virtual machines were started, of all of them together
    no_exits: str = ""

    @classmethod
    def read(cls, ends: Iterable[Instance], root: Path = Path("/")) -> Events:
        """The counters now: of the whole host, and of those ends that are virtual machines of KVM."""
        exits, why = _exits(ends, root)
        return cls(monotonic_ns(), interrupts((root / "proc/interrupts").read_text()), exits, why)

    def until(self, later: Events) -> Rates:
        """What came between two moments."""
        seconds = (later.at - self.at) / 1e9
        both = self.exits is not None and later.exits is not None
        return Rates(
            _rates(self.interrupts, later.interrupts, seconds),
            _rates(self.exits or {}, later.exits or {}, seconds) if both else None,
            self.no_exits or later.no_exits,
        )


def interrupts(text: str) -> dict[str, int]:
    """Interrupts by their row in proc_interrupts(5), as `24: PCI-MSIX ... eth0-rx-0`, of all processors together."""
    header, *rows = text.splitlines() or [""]
    processors = len(header.split())
    found = {}
    for row in rows:
        number, _, rest = row.strip().partition(":")
        words = rest.split()
        counts = [word for word in words[:processors] if word.isdecimal()]
        if number not in _NO_INTERRUPTS and counts:
            found[" ".join([f"{number}:", *words[len(counts) :]])] = sum(map(int, counts))
    return found


def _rates(before: Mapping[str, int], later: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Those that grew. A row that was not there before belongs to an interrupt that was set up in between."""
    grown = {name: count - before.get(name, 0) for name, count in later.items()}
    return {name: count / seconds for name, count in grown.items() if count > 0}


def _exits(ends: Iterable[Instance], root: Path) -> tuple[dict[str, int] | None, str]:
    """The counters of all virtual machines among the ends, or None and why."""
    machines = [(end, accelerator) for end in ends if (accelerator := end.proof().get("accelerator"))]
    if not machines:
        return None, ""
    if any(accelerator != "kvm" for _, accelerator in machines):
        return None, "without KVM a guest's code is run in software, and exits from nothing"
    total: dict[str, int] = {}
    for end, _ in machines:
        try:
            counters = machine_counters(end.processes(), root)
        except Unsupported as error:
            return None, error.message
        except OSError as error:
            return None, f"KVM's counters cannot be read: {error.filename}: {error.strerror}"
        for name, count in counters.items():
            total[name] = total.get(name, 0) + count
    return total, ""


def machine_counters(pids: Sequence[int], root: Path) -> dict[str, int]:
    """What KVM counts of the virtual machine that these processes run. Raises Unsupported and OSError.

    KVM has a directory for each in debugfs, named by the process and descriptor that made it:
    Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD; virt/kvm/kvm_main.c, kvm_create_vm_debugfs.
    """
    kvm = root / _DEBUGFS / "kvm"
    if not kvm.is_dir():
        raise Unsupported(f"KVM counts in debugfs, which is not mounted: mount -t debugfs debugfs /{_DEBUGFS}")
    machines = [path for pid in pids for path in kvm.glob(f"{pid}-*")]
    if not machines:
        raise Unsupported("KVM counts nothing for this virtual machine")
    found: dict[str, int] = {}
    for machine in machines:
        for file in machine.iterdir():
            if file.is_file() and (text := file.read_text().strip()).isdecimal():
                found[file.name] = found.get(file.name, 0) + int(text)
    if EXITS not in found:
        raise Unsupported("this kernel's KVM does not count exits")
    return found
