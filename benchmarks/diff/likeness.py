"""Whether two runs were made alike: on the same hardware and software, of the same thing, under the same terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isoscope.benchmarks.harness.terms import Subject
from isoscope.benchmarks.report.host import host_facts
from isoscope.benchmarks.results.run import Run
from isoscope.core.units import format_size

#: Facts of the host (see `host_facts`) that bear on every figure and do not change from one moment to the next.
_LASTING = (
    "CPU",
    "hardware threads",
    "SMT",
    "frequency governor",
    "turbo",
    "mitigations",
    "virtual machine itself",
    "memory",
    "transparent huge pages",
    "KSM",
    "distribution",
    "KVM",
    "cgroups",
    "file system of the state directory",
    "its mount options",
    "its disk",
)

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Unlike:
    """Something that is not the same in both runs."""

    name: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.name}: {_short(self.first)} against {_short(self.second)}"


def unlike(first: Run, second: Run) -> list[Unlike]:
    """Everything that differs and bears on the figures, or that one of the runs does not know."""
    known = [bool(run.environment) for run in (first, second)]
    facts = list(_pairs(_host(first), _host(second))) if all(known) else [Unlike("environment", *map(_knows, known))]
    facts += _pairs(_versions(first), _versions(second))
    for subject in first.terms.subjects:
        other = next((one for one in second.terms.subjects if one.benchmark == subject.benchmark), None)
        if other is not None:
            facts += _pairs(_subject(subject), _subject(other))
    return list(dict.fromkeys(facts))


def _knows(known: bool) -> str:
    return "known" if known else UNKNOWN


def _pairs(first: Mapping[str, str], second: Mapping[str, str]) -> Iterator[Unlike]:
    for name in dict.fromkeys([*first, *second]):
        values = first.get(name, UNKNOWN), second.get(name, UNKNOWN)
        if values[0] != values[1]:
            yield Unlike(name, *values)


def _host(run: Run) -> dict[str, str]:
    """The host's lasting facts. A run that was killed at once never wrote them."""
    return {name: value for name, value in host_facts(run.environment) if name in _LASTING}


def _versions(run: Run) -> dict[str, str]:
    """What the manifest knows of the host and of the programs: it is there even when the environment is not."""
    terms = run.terms
    return {
        "CPU": str(terms.host.get("cpu", UNKNOWN)),
        "hardware threads": str(terms.host.get("logical_cpus", UNKNOWN)),
        **{name: text or "absent" for name, text in terms.versions.items()},
    }


def _subject(subject: Subject) -> dict[str, str]:
    workload: dict[str, Any] = subject.workload.as_dict()
    terms = {name: _words(name, value) for name, value in _flat(workload).items() if name not in ("image", "name")}
    return {
        f"{subject.benchmark}: image": subject.image,
        **{f"{subject.benchmark}: {name}": value for name, value in terms.items()},
        **{f"{subject.benchmark}: option {name}": value for name, value in subject.options.items()},
    }


def _flat(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name} ")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _words(name: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value)) or "none"
    return format_size(value) if name.endswith("memory") else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
