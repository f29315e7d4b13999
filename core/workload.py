"""What to run and under which terms: the workload, which is the same for every backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from isoscope.core.errors import InputError
from isoscope.core.units import parse_size


class Network(StrEnum):
    """How an instance is connected."""

    NONE = "none"  #: a loopback device of its own and nothing else
    HOST = "host"  #: the host's own network
    BRIDGE = "bridge"  #: a bridge of ours with address translation, the same for containers and VMs
    VF = "vf"  #: an SR-IOV virtual function


@dataclass(frozen=True)
class Resources:
    """Limits. None means no limit of ours; a VM then takes its backend's default."""

    cpus: float | None = None  #: CPUs' worth of time (`cpu.max`); a VM rounds up to whole virtual CPUs
    memory: int | None = None  #: bytes (`memory.max`); a VM's RAM
    pids: int | None = None  #: tasks (`pids.max`)

    def __post_init__(self) -> None:
        for name, least in (("cpus", 0.01), ("memory", 1 << 20), ("pids", 1)):
            value = getattr(self, name)
            if value is not None and not least <= value < 1 << 63:
                raise InputError(f"{name}={value} is out of range", hint=f"the least that is accepted is {least}")

    def requested(self) -> frozenset[str]:
        """The names of the limits that are set."""
        return frozenset(name for name, value in asdict(self).items() if value is not None)


@dataclass(frozen=True)
class Mount:
    """A directory or file of the host shown inside the instance."""

    source: Path
    target: PurePosixPath
    read_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Mount:
        """Read `SRC:DST[:ro]`. Raises InputError when the source is missing or a path is not absolute."""
        parts = text.split(":")
        if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] not in ("ro", "rw")):
            raise InputError(f"{text!r} is not a mount", hint="write SRC:DST or SRC:DST:ro")
        source, target = Path(parts[0]), PurePosixPath(parts[1])
        if not source.is_absolute() or not target.is_absolute() or ".." in target.parts:
            raise InputError(f"mount {text!r} has a path that is not absolute", hint="write /host/path:/inside/path")
        if not source.exists():
            raise InputError(f"mount source {parts[0]!r} does not exist", hint="create it first")
        return cls(source, target, read_only=parts[2:] == ["ro"])


@dataclass(frozen=True)
class Workload:
    """What to run and under which terms.

    A workload is ready at the first byte of its own output; one that ends without output is ready at its end.
    An empty command means the image's own.
    """

    image: str = "base"
    command: tuple[str, ...] = ()
    name: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    resources: Resources = Resources()
    mounts: tuple[Mount, ...] = ()
    network: Network = Network.NONE
    working_directory: str = ""
    terminal: bool = False

    def __post_init__(self) -> None:
        command: Any = self.command  # whatever a file or a notebook gave
        if isinstance(command, str) or not all(isinstance(word, str) for word in command):
            raise InputError(f"command {command!r} is not a list of strings", hint='write ["echo", "hello"]')
        object.__setattr__(self, "command", tuple(self.command))
        object.__setattr__(self, "mounts", tuple(self.mounts))
        object.__setattr__(self, "network", Network(self.network))
        object.__setattr__(self, "environment", MappingProxyType(dict(self.environment)))
        texts = [*self.command, *self.environment, *self.environment.values(), self.working_directory]
        if any("\0" in text for text in texts):
            raise InputError("a command, variable or path holds a NUL byte", hint="execve(2) cannot pass it on")
        if any(not name or "=" in name for name in self.environment):
            raise InputError("an environment variable has no proper name", hint="write NAME=VALUE")

    def with_overrides(self, options: Mapping[str, str]) -> Workload:
        """The workload under a variant's terms: `cpus`, `memory`, `pids`, `network`. Raises InputError."""
        resources, network = self.resources, self.network
        for name, text in options.items():
            if name == "network":
                network = parse_network(text)
            elif name == "memory":
                resources = replace(resources, memory=parse_size(text))
            elif name == "cpus":
                resources = replace(resources, cpus=_number(name, text))
            elif name == "pids":
                resources = replace(resources, pids=int(_number(name, text)))
        return replace(self, resources=resources, network=network)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as stored in a manifest or a registry record."""
        return {
            "name": self.name,
            "image": self.image,
            "command": list(self.command),
            "environment": dict(self.environment),
            "resources": asdict(self.resources),
            "mounts": [
                {"source": str(m.source), "target": str(m.target), "read_only": m.read_only} for m in self.mounts
            ],
            "network": self.network.value,
            "working_directory": self.working_directory,
            "terminal": self.terminal,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Workload:
        """The inverse of `as_dict`; absent fields take their defaults. Raises InputError for unknown fields."""
        known = set(cls.__dataclass_fields__)
        if unknown := sorted(set(data) - known):
            raise InputError(f"unknown workload field {unknown[0]!r}", hint=f"known: {', '.join(sorted(known))}")
        fields: dict[str, Any] = dict(data)
        try:
            if "resources" in fields:
                fields["resources"] = Resources(**fields["resources"])
            if "mounts" in fields:
                fields["mounts"] = tuple(
                    Mount(Path(m["source"]), PurePosixPath(m["target"]), m.get("read_only", False))
                    for m in fields["mounts"]
                )
            if "network" in fields:
                fields["network"] = parse_network(fields["network"])
            return cls(**fields)
        except (TypeError, KeyError, ValueError) as error:
            raise InputError(f"malformed workload: {error}", hint="see the workload reference in the docs") from error


def parse_network(text: str) -> Network:
    """A network by name. Raises InputError."""
    try:
        return Network(text)
    except ValueError:
        raise InputError(f"unknown network {text!r}", hint=f"known: {', '.join(Network)}") from None


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name}={text} is not a number", hint=f"write {name}=2") from None
