"""What a workload's file may say about it: the tables `profile`, what it does, and `requirements`, what it demands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from isoscope.core.errors import InputError
from isoscope.core.units import parse_duration

PROFILE, REQUIREMENTS = "profile", "requirements"

#: Shares of the running time that words stand for.
_WEIGHTS = {"none": 0.0, "light": 0.1, "heavy": 0.5}

#: Systems that a guest may be; a container is always of the host's.
LINUX = "linux"


@dataclass(frozen=True)
class Field:
    """One field: how it is asked for, and how its value is read."""

    name: str
    table: str
    question: str
    form: str  #: how a value is written
    #: Reads a value of the file, or a text that was typed. Raises InputError.
    read: Callable[[Any], Any]
    choices: tuple[str, ...] = ()  #: every value that there is, where they can be told

    @property
    def place(self) -> tuple[str, str]:
        """Where it stands in the file."""
        return self.table, self.name


def _choice(*known: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            raise InputError(f"{value!r} is not known", hint=f"known: {', '.join(known)}")
        return str(value)

    return read


def _weight(value: Any) -> float:
    if isinstance(value, str) and value in _WEIGHTS:
        return _WEIGHTS[value]
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise InputError(f"{value!r} is not a share of its time", hint=f"write {', '.join(_WEIGHTS)}, or 0 to 1")
    return number


def _span(value: Any) -> float:
    number = _number(value)
    seconds = parse_duration(str(value)) if number is None else number
    if not 0 < seconds < float("inf"):
        raise InputError(f"{value!r} is not a span of time", hint='write "0.2s", "10m" or "24h"')
    return seconds


def _positive(value: Any) -> float:
    number = _number(value)
    if number is None or not 0 < number < float("inf"):
        raise InputError(f"{value!r} is not a number above 0", hint="write 50, or 0.1")
    return number


def _slowdown(value: Any) -> float:
    number = _number(value)
    if number is None or not 1 <= number < float("inf"):
        raise InputError(f"{value!r} is not a slowdown of 1 or more", hint="write 1.05 for 5 %")
    return number


def _count(value: Any) -> int:
    number = _number(value)
    if number is None or number != int(number) or number < 1:
        raise InputError(f"{value!r} is not a number of instances", hint="write 500")
    return int(number)


def _flag(value: Any) -> bool:
    found = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
    if found is None:
        raise InputError(f"{value!r} is neither true nor false", hint="write true or false")
    return found


def _number(value: Any) -> float | None:
    """The number itself, or that in a text; None where there is none."""
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


_SHARE = "none, light (a tenth of its time), heavy (half of it), or a share such as 0.3"


def _does(name: str, question: str) -> Field:
    return Field(name, PROFILE, question, _SHARE, _weight)


def _demands(name: str, question: str, *choices: str) -> Field:
    if choices:
        return Field(name, REQUIREMENTS, question, " or ".join(choices), _choice(*choices), choices)
    return Field(name, REQUIREMENTS, question, "true or false", _flag, ("false", "true"))


#: In the order in which they are asked for.
FIELDS = (
    _demands("trust", "whose code is it: own, on a host of its own; shared, beside others'; untrusted, anybody's",
             "own", "shared", "untrusted"),
    _demands("kernel", "which kernel it needs: the host's, or one of its own, as of another version", "host", "own"),
    _demands("modules", "whether it loads kernel modules"),
    _demands("os", "which operating system it is made for", LINUX, "windows", "freebsd", "other"),
    _demands("device", "a device: nic, a network function of its own; gpu, through the host's driver; pci, a whole "
             "device, for a guest's driver or one in user space", "none", "nic", "gpu", "pci"),
    _demands("every_syscall", "whether it uses uncommon system calls: eBPF, io_uring, ptrace, namespaces"),
    _demands("memory_limit", "whether its memory must have a hard limit"),
    _demands("rootless", "whether whoever starts it is not root"),
    _demands("live_migration", "whether it moves to another host while it runs"),
    Field("startup", REQUIREMENTS, "how long it may take to be ready", '"0.2s"', _span),
    Field("density", REQUIREMENTS, "how many run on this host at once", "500", _count),
    Field("max_slowdown", REQUIREMENTS, "how many times as long it may take as without isolation", "1.05", _slowdown),
    _does("cpu", "how much of its time it computes"),
    _does("memory", "how much of its time it waits for memory"),
    _does("disk", "how much of its time it reads and writes its disk"),
    _does("network", "how much of its time it waits for the network"),
    _does("syscalls", "how much of its time it spends in system calls"),
    Field("lifetime", PROFILE, "how long one instance lives", '"10m"', _span),
    Field("starts", PROFILE, "how many are started a second", "50", _positive),
)  # fmt: skip

BY_NAME = {field.name: field for field in FIELDS}


def of(table: str) -> dict[str, Field]:
    """The fields of one table."""
    return {field.name: field for field in FIELDS if field.table == table}
