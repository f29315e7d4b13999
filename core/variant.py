"""A backend with options, written `vm:network=none,memory=256M`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from isoscope.core.errors import InputError

#: Options that every variant takes: they change the workload's terms, not the backend.
WORKLOAD_OPTIONS = ("cpus", "memory", "pids", "network")

_NAME = re.compile(r"[a-z][a-z0-9-]*", re.ASCII)


@dataclass(frozen=True)
class Option:
    """An option that a backend takes, with the values it may have; without any, it takes whatever it can read."""

    name: str
    help: str
    choices: tuple[str, ...] = ()
    default: str = ""

    def check(self, value: str) -> str:
        """The value itself. Raises InputError when it is not one of the choices."""
        if self.choices and value not in self.choices:
            raise InputError(f"{self.name}={value} is not known", hint=f"known: {', '.join(self.choices)}")
        return value


def named_options(text: str, *, kind: str) -> tuple[str, dict[str, str]]:
    """Name and options of `NAME[:KEY=VALUE[,KEY=VALUE]...]`; `kind` is what a name is of. Raises InputError."""
    name, colon, rest = text.partition(":")
    if not _NAME.fullmatch(name):
        raise InputError(f"{text!r} is not a {kind}", hint="write NAME or NAME:key=value,key=value")
    options: dict[str, str] = {}
    for pair in rest.split(",") if colon else ():
        key, equals, value = pair.partition("=")
        if not _NAME.fullmatch(key) or not equals or not value:
            raise InputError(f"{pair!r} in {text!r} is not an option", hint="write key=value")
        if key in options:
            raise InputError(f"option {key!r} stands twice in {text!r}", hint="give each option once")
        options[key] = value
    return name, options


@dataclass(frozen=True)
class Variant:
    """A backend's name and the options chosen, in the order in which they were written."""

    backend: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def parse(cls, text: str) -> Variant:
        """Read `NAME[:KEY=VALUE[,KEY=VALUE]...]`. Raises InputError."""
        return cls(*named_options(text, kind="variant"))

    def __str__(self) -> str:
        pairs = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.backend}:{pairs}" if pairs else self.backend

    @property
    def kind(self) -> str:
        """The backend with its own options, and without the workload's terms."""
        own = {name: value for name, value in self.options.items() if name not in WORKLOAD_OPTIONS}
        return str(Variant(self.backend, own))

    def backend_options(self, declared: tuple[Option, ...]) -> dict[str, str]:
        """Every declared option with its chosen or default value. Raises InputError for an undeclared one."""
        known = {option.name: option for option in declared}
        chosen = {name: option.default for name, option in known.items()}
        for name, value in self.options.items():
            if name in WORKLOAD_OPTIONS:
                continue
            if name not in known:
                accepted = ", ".join([*known, *WORKLOAD_OPTIONS])
                raise InputError(f"backend {self.backend!r} has no option {name!r}", hint=f"it takes: {accepted}")
            chosen[name] = known[name].check(value)
        return chosen
