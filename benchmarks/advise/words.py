"""Advice as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from isoscope.benchmarks.advise.advice import Advice
from isoscope.benchmarks.advise.candidates import TCG
from isoscope.benchmarks.advise.decision import Assessment, Footing, Ranked, described, needed
from isoscope.benchmarks.advise.figures import Basis, Figure, costs
from isoscope.benchmarks.advise.rules import rules
from isoscope.benchmarks.results.quantity import MISSING, number
from isoscope.benchmarks.told import Table, Told

_FOOTINGS = {
    Footing.REQUIREMENTS: "the requirements leave nothing else to choose from",
    Footing.MEASURED: "figures measured on this host",
    Footing.PUBLISHED: "figures of which some are others', measured on theirs",
    Footing.MISSING: "the requirements, and fewer layers before more: what matters was not all measured",
}

#: What the rows of the table are called.
_COSTS = {
    "start": "until it is ready",
    "bytes": "memory for one more, idle",
    "cpu": "computing, times as long",
    "memory": "memory access, times as long",
    "disk": "disk, times as long",
    "network": "network, times as long",
    "syscalls": "system calls, times as long",
    "interference": "beside the worst neighbour, times as long",
    "fits": "how many fit on this host",
}


def told(advice: Advice, *, explain: bool = False) -> Told:
    """The answer, what it costs and rests on, and what would change it."""
    yield from _answer(advice)
    shown = [one for one in (advice.decision.answer, advice.decision.runner_up) if one is not None]
    if shown:
        yield ""
        yield from _table([one.assessment for one in shown], advice, shown)
    concerned = any(one.candidate.variant.partition(":")[0] == "vm" for one in shown) or not shown
    for title, lines in (
        ("what would change it", _changes(advice)),
        ("not ready here", _not_ready(advice)),
        ("a virtual machine here, without KVM", _emulated(advice) if concerned else []),
        ("beyond Isoscope", advice.beyond),
        ("passed over", [f"{one.directory}: {one.why}" for one in advice.past.passed]),
    ):
        yield from _list(title, lines)
    if explain:
        yield from _explain(advice)
    yield from _list("measure first", advice.measure)


def _answer(advice: Advice) -> Iterator[str]:
    name, decision = advice.subject.name or "the workload", advice.decision
    answer = decision.answer
    if answer is None:
        yield f"{name}: no backend that is known here meets all of it"
        yield f"  {'; '.join(_obstacles(advice)) or 'see --explain'}"
        return
    yield f"{name}: {answer.candidate.name}"
    yield f"  a {answer.candidate.kind}{_where(answer)}"
    yield f"  rests on: {_FOOTINGS[decision.footing]}"
    if (second := decision.runner_up) is not None:
        yield f"  runner-up: {second.candidate.name}, a {second.candidate.kind}{_where(second)}"
    if decision.unweighed:
        yield f"  not measured, and so not weighed: {', '.join(one.candidate.name for one in decision.unweighed)}"
    if decision.tied:
        yield "  no difference in cost is shown between the two: fewer layers go before more"
    if not advice.subject.values:
        yield "  nothing is said of what it does or demands: write [profile] and [requirements] into a file of it"
    elif "trust" not in advice.subject.values:
        yield '  assumed: trust = "shared", other people\'s instances run beside it'
    for budget in answer.budgets:
        yield f"  {'within' if budget.met else 'not known'}: {budget.sentence}"


def _where(one: Ranked) -> str:
    if one.candidate.ready:
        return ""
    lack = one.candidate.lacks[0]
    return f"; not ready here: {lack.what}. To have it: {lack.remedy}"


def _obstacles(advice: Advice) -> list[str]:
    """For each candidate, what keeps it out."""
    lines = [f"{one.candidate.name}: {one.exclusions[0].why}" for one in advice.assessments if one.exclusions]
    over = [
        f"{one.candidate.name}: {b.sentence}" for one in advice.decision.over for b in one.budgets if b.met is False
    ]
    return list(dict.fromkeys(lines + over))


#: Costs that are shown whatever the workload does.
_ALWAYS = ("start", "bytes", "interference", "fits")


def _table(shown: list[Assessment], advice: Advice, ranked: list[Ranked], *, whole: bool = False) -> Told:
    """A row for each cost, a column for each candidate, and notes on where each figure comes from."""
    notes: dict[str, str] = {}
    wanted = needed(advice.subject)
    rows: list[tuple[str, ...]] = []
    for name in costs():
        figures = [one.figures.get(name) for one in shown]
        if not whole and name not in (*wanted, *_ALWAYS):
            continue
        if any(figures) or name in wanted:
            mark = " *" if name in wanted else ""
            rows.append((_COSTS[name] + mark, *(_cell(one, notes, needed=name in wanted) for one in figures)))
    totals = [one.total for one in ranked]
    if any(totals) and wanted:
        cells = [f"{number(t.value)} [{number(t.low)}, {number(t.high)}]" if t else MISSING for t in totals]
        rows.append(("time and memory, all that counts (*)", *cells))
    yield Table(("", *(one.candidate.name for one in shown)), tuple(rows))
    for text, mark in notes.items():
        yield f"  {mark} {text}"
    figures_shown = [
        f for one in shown for f in one.figures.values() if f.citation and any(f.source in text for text in notes)
    ]
    cited = {figure.source.partition("/")[0]: figure.citation for figure in figures_shown}
    for name, text in cited.items():
        yield f"  {name}: {text}"


def _cell(figure: Figure | None, notes: dict[str, str], *, needed: bool) -> str:
    if figure is None:
        return "measure first" if needed else MISSING
    if figure.basis is Basis.BASELINE:
        return "1, the baseline"
    text = f"{figure.basis.value}: {figure.source}: {figure.detail}"
    if not figure.decides:
        text += "; shown, and decides nothing"
    mark = notes.setdefault(text, f"[{chr(ord('a') + len(notes) % 26)}{len(notes) // 26 or ''}]")
    return f"{described(figure)} {mark}"


def _changes(advice: Advice) -> Iterator[str]:
    """The changes that lead to the same other answer, together."""
    by_answer: dict[str | None, list[str]] = {}
    for one in advice.changes:
        by_answer.setdefault(one.answer, []).append(one.sentence.removeprefix("if "))
    for answer, sentences in by_answer.items():
        yield f"{answer or 'none that is known'}, if {'; or if '.join(sentences)}"


def _not_ready(advice: Advice) -> Iterator[str]:
    for one in advice.assessments:
        if not one.candidate.ready and not one.exclusions and one.candidate.accelerator != "kvm":
            lack = one.candidate.lacks[0]
            yield f"{one.candidate.name}: {lack.what}: {lack.remedy}"


def _emulated(advice: Advice) -> Iterator[str]:
    """What machines cost under TCG beside what is published of KVM, which are never mixed."""
    for one in advice.assessments:
        if one.candidate.accelerator != TCG:
            continue
        twin = next(
            (o for o in advice.assessments if o.candidate.variant == one.candidate.variant and o is not one), None
        )
        tcg = ", ".join(f"{name} {described(figure)}" for name, figure in one.figures.items())
        yield f"{one.candidate.name}, measured here: {tcg or 'nothing'}"
        if twin is not None:
            kvm = [f"{name} {described(figure)}" for name, figure in twin.figures.items()]
            yield f"{twin.candidate.name}, published, of other hosts: {', '.join(kvm) or 'nothing'}"


def _explain(advice: Advice) -> Told:
    yield ""
    for rule in rules():
        fired = rule in advice.fired
        asked = ", ".join(f"{name} = {'/'.join(map(_word, values))}" for name, values in rule.when.items())
        have = ", ".join(f"{name} = {_word(advice.subject[name])}" for name in rule.when)
        yield f"{'fired' if fired else 'not fired'}: {rule.name}"
        yield f"  {'because' if fired else 'it would with'} {have if fired else asked}; {rule.why}"
        if fired:
            out = [one.candidate.name for one in advice.assessments if any(e.rule == rule.name for e in one.exclusions)]
            yield f"  excludes: {', '.join(out) or 'none'}"
        yield f"  source: {rule.source}"
    own = {e.rule for one in advice.assessments for e in one.exclusions} - {rule.name for rule in rules()}
    for one in advice.assessments:
        for each in (each for each in one.exclusions if each.rule in own):
            yield f"fired: {each.rule}: excludes {one.candidate.name}: {each.why}"
    yield ""
    ranked = [*advice.decision.here, *advice.decision.elsewhere, *advice.decision.over]
    if ranked:
        yield "everything that meets the requirements, in order:"
        yield from _table([one.assessment for one in ranked], advice, ranked, whole=True)
        for place in ranked:
            for budget in place.budgets:
                words = {True: "within", False: "over", None: "not known"}[budget.met]
                yield f"  {place.candidate.name}: {words}: {budget.sentence}"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else "not said" if value is None else str(value)


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield f"{title}:"
        for line in found:
            yield f"  {line}"
