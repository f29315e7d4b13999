"""Advice: the rules and the figures brought together for one workload on one host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from isoscope.benchmarks.advise.candidates import Candidate
from isoscope.benchmarks.advise.changes import Change, changes
from isoscope.benchmarks.advise.decision import Assessment, Decision, Footing, Ranked, decide, needed
from isoscope.benchmarks.advise.figures import Basis, Figure, costs
from isoscope.benchmarks.advise.measured import measured
from isoscope.benchmarks.advise.published import published
from isoscope.benchmarks.advise.rules import Rule, exclusions, rules, undeclared
from isoscope.benchmarks.advise.subject import Subject
from isoscope.benchmarks.results.past import Past


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
    def measure(self) -> str | None:
        """The command that measures what is missing of those that are ready here; None when nothing is."""
        return command(self.subject, self.decision)

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


def advise(subject: Subject, candidates: Sequence[Candidate], past: Past) -> Advice:
    """Exclude, weigh, and look for what would change the answer."""
    known = [
        Assessment(one, tuple(undeclared(subject.workload, one)), _figures(one, past, subject)) for one in candidates
    ]
    fired, assessments = _assess(subject, known)

    def answer(other: Subject) -> str | None:
        found = decide(other, _assess(other, known)[1]).answer
        return None if found is None else f"{found.candidate.name}{', as far as is known' if found.unproven else ''}"

    return Advice(
        subject=subject,
        past=past,
        fired=fired,
        assessments=assessments,
        decision=decide(subject, assessments),
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


def command(subject: Subject, decision: Decision) -> str | None:
    """What to measure: the benchmarks of what is missing or others' alone, on every variant that is ready here."""
    wanted = needed(subject)
    names: dict[str, None] = {}
    for one in decision.here:
        figures = one.assessment.figures
        for name in (*wanted, *(budget.cost for budget in one.budgets if budget.met is None)):
            figure = figures.get(name)
            if figure is None or figure.basis is Basis.PUBLISHED:
                names[costs()[name].benchmark] = None
    if not names or (decision.footing is Footing.REQUIREMENTS and not decision.here):
        return None
    if "starts" in subject.values and any(
        b.name == "starts" and b.met is None for one in decision.here for b in one.budgets
    ):
        names.pop("startup", None)
        names["startup:at-once=8"] = None
    variants = dict.fromkeys(["process", *(one.candidate.variant for one in decision.here)])
    words = [f"-m {name}" for name in names] + [f"-b {name}" for name in variants]
    return " ".join(["isoscope compare", *([subject.file] if own_command(subject, names) else []), *words])


def own_command(subject: Subject, benchmarks: dict[str, None]) -> bool:
    """Whether the workload itself is what is measured: the other benchmarks run tools in images of their own."""
    return bool(subject.file) and all(name.partition(":")[0] in ("startup", "density") for name in benchmarks)


def _plain(one: Ranked | None) -> dict[str, Any] | None:
    if one is None:
        return None
    candidate = one.candidate
    return {
        "variant": candidate.variant,
        "kind": candidate.kind,
        "accelerator": candidate.accelerator or None,
        "ready": candidate.ready,
        "lacks": [asdict(lack) for lack in candidate.lacks],
        "total": None if one.total is None else asdict(one.total),
        "missing": list(one.missing),
        "budgets": [asdict(budget) for budget in one.budgets],
        "figures": {name: figure.as_dict() for name, figure in one.assessment.figures.items()},
    }


def _excluded(one: Assessment) -> dict[str, Any]:
    candidate = one.candidate
    return {
        "variant": candidate.variant,
        "kind": candidate.kind,
        "accelerator": candidate.accelerator or None,
        "ready": candidate.ready,
        "by": [asdict(each) for each in one.exclusions],
        "figures": {name: figure.as_dict() for name, figure in one.figures.items()},
    }
