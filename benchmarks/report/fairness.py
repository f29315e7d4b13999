"""What was the same for every variant, and what differed between them."""

from __future__ import annotations

import shlex
from typing import Any

from isoscope.benchmarks.summary import Summary
from isoscope.benchmarks.terms import Terms
from isoscope.core.units import format_size
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload


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


def differences(summary: Summary) -> list[tuple[str, list[str]]]:
    """Rows of a table with a column for each variant: the terms and proofs that are not the same for all of them."""
    columns = [_facts(summary, Variant.parse(text)) for text in summary.terms.variants]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = [(name, [column.get(name, "–") for column in columns]) for name in names]
    return [(name, cells) for name, cells in rows if len(set(cells)) > 1]


def _facts(summary: Summary, variant: Variant) -> dict[str, str]:
    """The terms a variant sets, and what its instances proved to be."""
    facts = {f"option {key}": value for key, value in variant.options.items()}
    for subject in summary.terms.subjects:
        facts |= _terms(subject.workload.with_overrides(variant.options))
    for name, values in summary.proofs[str(variant)].items():
        facts[name] = _words(values)
    return facts


def _terms(workload: Workload) -> dict[str, str]:
    resources = workload.resources
    return {
        "network": workload.network.value,
        "CPUs": "no limit" if resources.cpus is None else f"{resources.cpus:g}",
        "memory": "no limit" if resources.memory is None else format_size(resources.memory),
        "processes": "no limit" if resources.pids is None else str(resources.pids),
    }


def _words(values: list[Any]) -> str:
    """The values, or how many there were: instances differ in things such as the numbers of their namespaces."""
    texts = list(dict.fromkeys(map(str, values)))
    return ", ".join(texts) if len(texts) <= 3 else f"{texts[0]}, and {len(texts) - 1} others"
