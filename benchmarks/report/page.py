"""What every form of the report says alike: its title, its notes, and the command that repeats the run."""

from __future__ import annotations

import shlex
from typing import Any

from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.verdict import emulated_host


def title(run: Run) -> str:
    """The workload where there is one for all, else the variants; and whether the host was none of hardware."""
    names = dict.fromkeys(subject.name for subject in run.terms.subjects)
    name = next(iter(names)) if len(names) == 1 else ", ".join(run.terms.variants)
    return f"{name}, on an emulated host" if emulated_host(run.environment) else name


def notes(environment: dict[str, Any]) -> list[str]:
    """What may be in the figures, each once; of every part of a run that was gone on with."""
    parts = [*environment.get("earlier", []), environment] if environment else []
    return list(dict.fromkeys(note for part in parts for note in part["notes"]))


def command(terms: Terms) -> str:
    """The command that asks for the same again, seed and all."""
    words = ["isoscope", "compare"]
    names = {subject.workload.name for subject in terms.subjects}
    if len(names) == 1:
        words.append(names.pop() or "WORKLOAD.toml")
    words += [word for variant in terms.variants if variant not in terms.twins for word in ("-b", variant)]
    words += [word for subject in terms.subjects for word in ("-m", subject.request)]
    words += ["-n", str(terms.blocks)]
    words += [] if terms.precision is None else ["--precision", f"{terms.precision * 100:g}%"]
    words += [] if terms.budget is None else ["--budget", f"{terms.budget:g}s"]
    return f"{shlex.join(words)} --seed {terms.seed}"
