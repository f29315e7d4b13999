"""What was the same for every variant, and what differed between them."""

from __future__ import annotations

import re
import shlex
from typing import Any

from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.results.summary import Summary
from isoscope.core.units import format_size
from isoscope.core.workload import Workload

#: What everything that is made for one instance is called.
_INSTANCE = re.compile(r"isoscope-[0-9a-f]{12}")


def alike(terms: Terms) -> list[tuple[str, str]]:
    """What every variant was given, by benchmark."""
    facts = []
    for subject in terms.subjects:
        workload = subject.workload
        facts += [
            (f"{subject.benchmark}: command", shlex.join(workload.command) or "the image's own"),
            (f"{subject.benchmark}: image", f"{workload.image}, {subject.image}"),
        ]
        if workload.environment:
            pairs = " ".join(f"{key}={value}" for key, value in workload.environment.items())
            facts.append((f"{subject.benchmark}: environment", pairs))
    return facts


def differences(summary: Summary, environment: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Rows of a table with a column for each variant: the terms and proofs that are not the same for all of them."""
    hosts = frozenset(environment.get("namespaces", ()))
    columns = [_facts(summary, label, hosts) for label in summary.terms.variants]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, [column.get(name, "–") for column in columns]) for name in names]
    return [(name, cells) for name, cells in rows if len(set(cells)) > 1]


def _facts(summary: Summary, label: str, hosts: frozenset[str]) -> dict[str, str]:
    """The terms a variant sets, and what its instances proved to be."""
    variant = summary.terms.variant(label)
    facts = {f"option {key}": value for key, value in variant.options.items()}
    terms = [_terms(subject.workload.with_overrides(variant.options)) for subject in summary.terms.subjects]
    for name in terms[0] if terms else ():
        facts[name] = _words([one[name] for one in terms])
    for name, values in summary.proofs[label].items():
        facts[name] = _words([_told(name, str(value), hosts) for value in values])
    return facts


def _terms(workload: Workload) -> dict[str, str]:
    resources = workload.resources
    return {
        "network": workload.network.value,
        "CPUs": "no limit" if resources.cpus is None else f"{resources.cpus:g}",
        "memory": "no limit" if resources.memory is None else format_size(resources.memory),
        "processes": "no limit" if resources.pids is None else str(resources.pids),
    }


def _told(name: str, value: str, hosts: frozenset[str]) -> str:
    """A proof in the words of a comparison: without the numbers and names that each instance has for itself."""
    if name == "namespaces" and hosts:
        kinds: dict[bool, list[str]] = {True: [], False: []}
        for namespace in value.split():
            kinds[namespace in hosts].append(namespace.partition(":")[0])
        return "; ".join(
            f"{who}: {' '.join(kinds[key])}" for who, key in (("own", False), ("the host's", True)) if kinds[key]
        )
    if name == "cgroup":
        lines = [line.split(":", 2)[1:] for line in value.splitlines() if "isoscope" in line and line.count(":") > 1]
        return "; ".join(
            f"{controllers or 'v2'} in {_INSTANCE.sub('isoscope-ID', path)}" for controllers, path in lines
        )
    return value


def _words(texts: list[str]) -> str:
    """The distinct texts, or how many there are."""
    texts = list(dict.fromkeys(texts))
    return ", ".join(texts) if len(texts) <= 3 else f"{len(texts)} different ones"
