"""Advice: the rules and the figures brought together for one workload on one host."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from isoscope.benchmarks.advise.candidates import Candidate, candidates
from isoscope.benchmarks.advise.changes import Change, changes
from isoscope.benchmarks.advise.decision import Assessment, Decision, Ranked, decide, needed
from isoscope.benchmarks.advise.figures import Basis, Figure, costs
from isoscope.benchmarks.advise.measured import measured
from isoscope.benchmarks.advise.published import published
from isoscope.benchmarks.advise.rules import Rule, exclusions, rules, undeclared
from isoscope.benchmarks.advise.subject import Subject
from isoscope.benchmarks.results.past import Past
from isoscope.benchmarks.runs import past_runs
from isoscope.core.lab import Lab

#: Benchmarks that start the workload itself.
_OF_THE_WORKLOAD = ("startup", "density")


@dataclass(frozen=True)
class Advice:
    """What to run a workload on, and all that it rests on."""

    subject: Subject
    past: Past
    fired: tuple[Rule, ...]
    assessments: tuple[Assessment, ...]
    decision: Decision
    changes: tuple[Change, ...]

    @property
    def beyond(self) -> list[str]:
        """What Isoscope itself does not do of what is demanded."""
        return [rule.beyond for rule in self.fired if rule.beyond]

    @property
    def measure(self) -> list[str]:
        """The commands that measure what is missing of those that are ready here."""
        process = next((one.candidate for one in self.assessments if one.candidate.variant == "process"), None)
        baseline = process is not None and not undeclared(self.subject.workload, process)
        return commands(self.subject, self.decision, baseline=baseline)

    def _repr_html_(self) -> str:
        from isoscope.benchmarks.advise.words import told
        from isoscope.benchmarks.display.bundle import told_html

        return told_html(told(self))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, whole."""
        decision = self.decision
        return {
            "schema": 1,
            "workload": self.subject.as_dict(),
            "answer": _plain(decision.answer),
            "runner_up": _plain(decision.runner_up),
            "tied": decision.tied,
            "unweighed": [one.candidate.name for one in decision.unweighed],
            "rests_on": decision.footing.value if decision.answer else None,
            "needed": list(needed(self.subject)),
            "here": [_plain(one) for one in decision.here],
            "elsewhere": [_plain(one) for one in decision.elsewhere],
            "over_budget": [_plain(one) for one in decision.over],
            "excluded": [_excluded(one) for one in self.assessments if one.exclusions],
            "rules": [{**asdict(rule), "fired": rule in self.fired} for rule in rules()],
            "beyond": self.beyond,
            "changes": [asdict(one) for one in self.changes],
            "measure_first": self.measure,
            "runs": [str(run.directory) for run in self.past.runs],
            "passed_over": [{"directory": str(one.directory), "why": one.why} for one in self.past.passed],
        }


def advise(lab: Lab, workload: str | Path | Subject, *, runs: Sequence[Path] | None = None) -> Advice:
    """Which backend suits a workload, what it would cost, and what that rests on.

    `workload` is a registered name or a TOML file, whose tables [profile] and [requirements] say what it does and
    demands. Figures come from this host's runs in the folders `runs`, by default in `runs/`; nothing is started. Raises
    NotFound, and InputError with the line of the file.
    """
    subject = workload if isinstance(workload, Subject) else Subject.load(lab, str(workload))
    past = past_runs(lab, runs)
    return conclude(subject, candidates(lab, past.variants), past)


def conclude(subject: Subject, among: Sequence[Candidate], past: Past) -> Advice:
    """Exclude, weigh, and look for what would change the answer."""
    known = [Assessment(one, tuple(undeclared(subject.workload, one)), _figures(one, past, subject)) for one in among]
    fired, assessments = _assess(subject, known)
    decision = decide(subject, assessments)
    now = decision.answer and decision.answer.candidate

    def answer(other: Subject) -> str | None:
        found = decide(other, _assess(other, known)[1]).answer
        if found is None:
            return None
        doubt = ", as far as is known" if found.unproven and found.candidate != now else ""
        return f"{found.candidate.name}{doubt}"

    return Advice(
        subject=subject,
        past=past,
        fired=fired,
        assessments=assessments,
        decision=decision,
        changes=tuple(changes(subject, answer)),
    )


def _assess(subject: Subject, known: Sequence[Assessment]) -> tuple[tuple[Rule, ...], tuple[Assessment, ...]]:
    """The rules that the workload makes fire, and what is known with what they exclude."""
    fired = tuple(rule for rule in rules() if rule.fires(subject))
    return fired, tuple(replace(one, exclusions=(*exclusions(one.candidate, fired), *one.exclusions)) for one in known)


def _figures(one: Candidate, past: Past, subject: Subject) -> dict[str, Figure]:
    """What is known of a candidate's costs: measured here, else published."""
    found = {}
    for name, cost in costs().items():
        figure = measured(past, one, cost, subject.workload) or published(one, cost)
        if figure is None and one.kind == "process" and cost.of == "slowdown":
            figure = Figure(name, 1.0, None, None, "1", Basis.BASELINE, "", "a plain process is what slowdowns are of")
        if figure is not None:
            found[name] = figure
    return found


def commands(subject: Subject, decision: Decision, *, baseline: bool) -> list[str]:
    """What measures that which is missing of those that are ready here, or is others' alone.

    What starts the workload itself is one command, with a plain process for a `baseline` where that can do what the
    workload asks for; tools that run in images of their own are another.
    """
    names: dict[str, None] = {}
    for one in decision.here:
        open_budgets = [budget for budget in one.budgets if budget.met is None]
        for name in (*needed(subject), *(budget.cost for budget in open_budgets)):
            figure = one.assessment.figures.get(name)
            if figure is None or figure.basis is Basis.PUBLISHED:
                names[costs()[name].benchmark] = None
        if any(budget.name == "starts" for budget in open_budgets):
            names["startup:at-once=8"] = None
    variants = [one.candidate.variant for one in decision.here]
    own = [name for name in names if name.partition(":")[0] in _OF_THE_WORKLOAD]
    tools = [name for name in names if name not in own]
    found = []
    for file, benchmarks, with_process in ((subject.file, own, baseline), ("", tools, True)):
        if benchmarks:
            compared = dict.fromkeys([*(["process"] if with_process else []), *variants])
            asked = [f"-m {name}" for name in benchmarks] + [f"-b {name}" for name in compared]
            found.append(" ".join(["isoscope compare", *([shlex.quote(file)] if file else []), *asked]))
    return found


def _plain(one: Ranked | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        **_about(one.assessment),
        "total": None if one.total is None else asdict(one.total),
        "missing": list(one.missing),
        "budgets": [asdict(budget) for budget in one.budgets],
    }


def _excluded(one: Assessment) -> dict[str, Any]:
    return {**_about(one), "by": [asdict(each) for each in one.exclusions]}


def _about(one: Assessment) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "variant": candidate.variant,
        "kind": candidate.kind,
        "accelerator": candidate.accelerator or None,
        "ready": candidate.ready,
        "lacks": [asdict(lack) for lack in candidate.lacks],
        "figures": {name: figure.as_dict() for name, figure in one.figures.items()},
    }
