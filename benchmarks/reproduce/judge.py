"""From a run and the plan in its manifest to a row for each published figure, and to the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import hypot
from typing import TYPE_CHECKING

from isoscope.benchmarks.published import Published
from isoscope.benchmarks.reproduce import rule
from isoscope.benchmarks.reproduce.offer import offered
from isoscope.benchmarks.reproduce.recipe import SAME_SYSTEM, Kind, Match, Plan
from isoscope.benchmarks.reproduce.request import Asked
from isoscope.benchmarks.reproduce.result import Measured, Reproduction, Row, Stand, Twin
from isoscope.benchmarks.reproduce.rule import Decision, Verdict
from isoscope.benchmarks.reproduce.series import Values, measured, ratio
from isoscope.benchmarks.results.verdict import emulated_host

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

_ALONE = "the study's figures are of one system: there is no ratio to hold ours against"
_TCG = "the virtual machine ran under TCG, QEMU's emulation in software; the study's ran on hardware"


@dataclass(frozen=True)
class _Candidate:
    """A row before its verdict: what is known of it, and why it cannot be compared, if so."""

    row: Row
    match: Match | None
    obstacle: str


def judge(run: Run) -> Reproduction:
    """What a run says of the study that it repeats. Raises InputError when it repeats none."""
    return _Judge(run).reproduction()


class _Judge:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.asked = Asked.of(run)
        self.plan: Plan = self.asked.plan
        self.recipe = offered(self.asked.recipe)
        self.published = self.recipe.published()
        self._values: dict[tuple[int, str], Values] = {}

    def reproduction(self) -> Reproduction:
        from isoscope.benchmarks.report.host import glance
        from isoscope.benchmarks.report.page import command, notes

        candidates = [self._candidate(one) for one in self.published]
        candidates += self._of_today()
        rows = self._decided(candidates)
        found = self.recipe.source()
        decisions = [Decision(row.verdict, row.reason, row.able) for row in rows if row.verdict is not None]
        verdict = rule.overall(decisions)
        summary = self.run.results
        return Reproduction(
            recipe=self.asked.recipe,
            citation=found.citation,
            link=found.link,
            study_host=found.host,
            verdict=verdict,
            sentence=_sentence(verdict, rows),
            clock=self.plan.clock,
            settings=self.plan.settings,
            systems=tuple(self._stands()),
            rows=tuple(rows),
            noise=tuple(Twin(match.workload, match.metric, twin) for match, twin in self._twins.values()),
            cautions=(*self._cautions(), *(f"{note}." for note in notes(self.run.environment))),
            quick=self.asked.quick,
            blocks=summary.blocks_made,
            complete=summary.complete,
            created_at=self.run.terms.created_at,
            host=glance(self.run.environment),
            versions=self.run.terms.versions,
            command=self.asked.command(self.run.terms),
            compare=command(self.run.terms),
        )

    # Rows

    def _candidate(self, one: Published) -> _Candidate:
        match = next((m for m in self.plan.matches if (m.workload, m.metric) == (one.workload, one.metric)), None)
        left_out = self.plan.left_out.get(one.system) or self.plan.omitted.get(one.workload)
        system = next((s for s in self.plan.systems if s.name == one.system), None)
        variant = system.variant if system else ""
        base = self._baseline_of(one, match)
        row = _row(one, match, variant)
        if base is not None and base.key != one.key:
            row = replace(row, baseline=_words(base, one), published_ratio=one.value / base.value)
        is_baseline = base is not None and base.key == one.key
        if match is None or system is None:
            if is_baseline:
                return _Candidate(row, match, "")
            return _Candidate(row, match, left_out or f"nothing stands for {'it' if system else one.system} here")
        row, obstacle = self._ours(row, match, variant)
        if base is None:
            return _Candidate(row, match, "the study has no baseline for it")
        if is_baseline:
            return _Candidate(row, match, "")
        row, obstacle = self._against(row, match, base, obstacle)
        return _Candidate(row, match, self._told(one, match, row) or obstacle)

    def _baseline_of(self, one: Published, match: Match | None) -> Published | None:
        """The published figure that the row is held against; the figure itself where it is a baseline."""
        name = (match.baseline if match else "") or self.plan.baseline
        workload = (match.against if match else "") or one.workload
        system = one.system if name == SAME_SYSTEM else name
        known = (*self.published, *self.recipe.elsewhere())
        return next((p for p in known if p.key == (workload, one.metric, system)), None)

    def _ours(self, row: Row, match: Match, variant: str) -> tuple[Row, str]:
        """The row with what we measured of it, or why there is nothing."""
        if variant in self.asked.unavailable:
            return row, self.asked.unavailable[variant]
        values = self._of(match, variant)
        own = measured(values, match, self.run.terms.seed)
        accelerator = ", ".join(filter(None, values.accelerators))
        row = replace(row, ours=own, accelerator=accelerator)
        return row, "" if own else f"no value: {values.reason}"

    def _against(self, row: Row, match: Match, base: Published, obstacle: str) -> tuple[Row, str]:
        """The row with our ratio, and what its own baseline says of it."""
        if obstacle:
            return row, obstacle
        other = self._match(base) if match.against else match
        base_system = next((s for s in self.plan.systems if s.name == base.system), None)
        if other is None or base_system is None or base_system.variant in self.asked.unavailable:
            return row, f"its baseline {base.system} was not measured here"
        found = ratio(
            self._of(match, row.variant),
            self._of(other, base_system.variant),
            match,
            self.run.terms.seed,
            other=other,
        )
        return replace(
            row, ratio=found
        ), "" if found else f"no block has a value of it and of its baseline {base.system}"

    def _told(self, one: Published, match: Match, row: Row) -> str:
        """Why a row is not compared, by what it is and not by how it came out."""
        if not one.basis.decides:
            return "second-hand: read in another text that quotes it; shown, and never decides"
        if signature := emulated_host(self.run.environment):
            return f"this host itself is emulated in software ({signature})"
        if row.accelerator == "tcg" and not (match.emulated and rule.directed(row.published_ratio)):
            return _TCG
        if match.obstacle:
            return match.obstacle
        if (
            match.costs
            and row.published_ratio
            and rule.gains(row.published_ratio, higher_is_better=row.better == "higher")
        ):
            return (
                "the study has it better than its baseline without isolation: no isolation explains that, so it is the "
                "study's own noise, or a flush that it left out"
            )
        return ""

    def _of_today(self) -> Iterator[_Candidate]:
        """Rows of systems that the study did not have."""
        known = {one.system for one in self.published}
        for system in (s for s in self.plan.systems if s.name not in known):
            for match in self.plan.matches:
                like = next(
                    (p for p in self.published if (p.workload, p.metric) == (match.workload, match.metric)), None
                )
                base = None if like is None else self._base_of_today(replace(like, system=system.name), match)
                if like is None or base is None:
                    continue
                row = replace(
                    _row(like, match, system.variant),
                    system=system.name,
                    published=None,
                    spread="",
                    basis=None,
                    where="",
                )
                row, obstacle = self._ours(row, match, system.variant)
                if base.key != (like.workload, like.metric, system.name):
                    row, obstacle = self._against(replace(row, baseline=_words(base, like)), match, base, obstacle)
                yield _Candidate(row, match, obstacle or "the study had no such system")

    def _base_of_today(self, one: Published, match: Match) -> Published | None:
        """What a figure would be held against that the study does not have."""
        if match.baseline == SAME_SYSTEM:
            return replace(one, workload=match.against or one.workload)
        return self._baseline_of(one, match)

    def _decided(self, candidates: list[_Candidate]) -> list[Row]:
        able = [one for one in candidates if not one.obstacle and one.row.ratio is not None]
        rows = []
        for one in candidates:
            row = one.row
            edges = self._band(row, one.match)
            row = replace(row, band=edges)
            if one.obstacle:
                row = replace(row, verdict=Verdict.NOT_COMPARABLE, reason=one.obstacle, able=False)
            elif row.ratio is not None and edges is not None and one.match is not None:
                decision = self._decide(row, row.ratio, edges, one.match, len(able))
                row = replace(row, verdict=decision.verdict, reason=decision.reason, able=decision.able)
            rows.append(row)
        return rows

    def _decide(self, row: Row, found: Measured, edges: rule.Band, match: Match, rows: int) -> Decision:
        twin = self._twins.get((match.workload, match.metric))
        if twin is not None:
            noise = twin[1]
            why = rule.disturbed(noise.value, noise.interval, edges, blocks=noise.blocks, rows=len(self._twins))
            if why:
                return Decision(Verdict.NOT_COMPARABLE, why, able=True)
        return rule.decide(found.value, found.interval, edges, blocks=found.blocks, rows=rows)

    def _band(self, row: Row, match: Match | None) -> rule.Band | None:
        if row.published_ratio is None or match is None or row.published_ratio <= 0:
            return None
        system = next((s for s in self.plan.systems if s.name == row.system), None)
        kinds = {match.kind, system.kind if system else match.kind}
        kind = Kind.DIRECTION if Kind.DIRECTION in kinds or row.accelerator == "tcg" else Kind.SIZE
        return rule.band(row.published_ratio, kind, self._deviation(row, match))

    def _deviation(self, row: Row, match: Match) -> float:
        """The relative standard deviation of the published ratio; 0 where the study gives none."""
        one = next((p for p in self.published if p.key == (row.workload, row.metric, row.system)), None)
        base = None if one is None else self._baseline_of(one, match)
        return hypot(*(_relative_deviation(p, match) for p in (one, base) if p is not None))

    # Values

    def _match(self, one: Published) -> Match | None:
        return next((m for m in self.plan.matches if (m.workload, m.metric) == (one.workload, one.metric)), None)

    def _of(self, match: Match, variant: str) -> Values:
        key = (self.plan.matches.index(match), variant)
        if key not in self._values:
            self._values[key] = Values(self.run, match, variant)
        return self._values[key]

    @cached_property
    def _twins(self) -> Mapping[tuple[str, str], tuple[Match, Measured]]:
        """What the baseline was against itself, by workload and metric."""
        found = {}
        for twin, name in self.run.terms.twins.items():
            for match in self.plan.matches:
                one = ratio(self._of(match, twin), self._of(match, name), match, self.run.terms.seed)
                if one is not None:
                    found[match.workload, match.metric] = (match, one)
        return found

    # Words

    def _stands(self) -> Iterator[Stand]:
        for system in self.plan.systems:
            note = "; ".join(
                filter(None, (system.note, system.why and f"only the direction is compared: {system.why}"))
            )
            yield Stand(system.name, system.variant, note, self.asked.unavailable.get(system.variant, ""))
        known = {system.name for system in self.plan.systems}
        published = dict.fromkeys(one.system for one in self.published)
        for name in dict.fromkeys((*published, *self.plan.left_out)):
            if name not in known:
                yield Stand(name, "", "", self.plan.left_out.get(name, "nothing stands for it here"))

    def _cautions(self) -> Iterator[str]:
        from isoscope.benchmarks.report.section import cautions

        for subject in self.run.terms.subjects:
            for sentence in cautions(self.run, subject):
                yield f"{subject.benchmark}: {sentence.removesuffix('.')}."


def _row(one: Published, match: Match | None, variant: str) -> Row:
    return Row(
        workload=one.workload,
        short=(match.short if match else "") or one.workload,
        metric=one.metric,
        unit=one.unit,
        better=one.better.value,
        system=one.system,
        variant=variant,
        accelerator="",
        baseline="",
        published=one.value,
        spread=one.spread,
        basis=one.basis,
        where=one.where,
        published_ratio=None,
        ours=None,
        ratio=None,
        band=None,
        verdict=None,
        reason="",
        able=False,
        x=match.x if match else None,
    )


def _words(base: Published, one: Published) -> str:
    return base.system if base.workload == one.workload else f"{base.system}, {base.workload}"


def _relative_deviation(one: Published, match: Match) -> float:
    return abs(one.deviation / one.value) if one.deviation else match.deviations.get(one.system, 0.0)


def _sentence(verdict: Verdict, rows: list[Row]) -> str:
    """The verdict, how many rows it rests on, and of which systems it says nothing."""
    able = [row for row in rows if row.able]
    if not able:
        published = [row for row in rows if row.published is not None and row.verdict is not None]
        whys = list(dict.fromkeys(row.reason for row in published)) or [_ALONE]
        return f"not comparable: no published row could be compared here ({'; '.join(whys[:2])})"
    counts = {kind: sum(row.verdict is kind for row in able) for kind in Verdict}
    open_ = counts[Verdict.NOT_COMPARABLE]
    parts = [
        f"{verdict.value}: of {len(able)} published ratio{'' if len(able) == 1 else 's'} that could be compared here, "
        f"{counts[Verdict.SAME]} have the same shape, {counts[Verdict.DIFFERENT]} another"
        + (f", and {open_} {'is' if open_ == 1 else 'are'} left open" if open_ else "")
    ]
    said = dict.fromkeys(row.system for row in able)
    parts.append(f"they are of {', '.join(said)}")
    silent = dict.fromkeys(row.system for row in rows if row.verdict is not None and row.published is not None)
    if left := [name for name in silent if name not in said]:
        parts.append(f"nothing is said of {', '.join(left)}")
    return "; ".join(parts)
