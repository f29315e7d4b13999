"""`report.md`: the report for a pull request, in GitHub-flavoured Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from isoscope.benchmarks.report.gfm import block, folded, table, text
from isoscope.benchmarks.report.headline import Cell, Group, columns, headline
from isoscope.benchmarks.report.host import host_facts
from isoscope.benchmarks.report.page import command, notes, title
from isoscope.benchmarks.report.section import cautions
from isoscope.benchmarks.results.files import write_text
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.verdict import doubtful, verdicts


def write(directory: Path) -> Path:
    """Write `report.md` of the run in `directory`. Raises InputError and HostError."""
    path = directory / "report.md"
    write_text(path, render(Run.load(directory)))
    return path


def render(run: Run) -> str:
    """The report: verdict, headline, cautions, failures; the rest is folded away."""
    parts = [
        f"### What isolation costs: {text(title(run))}",
        *_verdicts(run),
        _headline(run),
        "p50, its ratio to the baseline with the 95 % interval; ▲ better, ▼ worse, ≈ no difference shown. "
        + " ".join(f"No interval: {text(reason)}." for reason in _unsure(run)),
        *_list("Read this first", _cautions(run)),
        *_list("Failed or not run", _failures(run)),
        folded("Metrics", "\n".join(_metrics(run))),
        folded("Environment", table(("host", "value"), ((text(key), text(value)) for key, value in _facts(run)))),
        folded("How to repeat it", block(command(run.terms))),
    ]
    return "\n\n".join(parts) + "\n"


def _verdicts(run: Run) -> Iterator[str]:
    """What the figures are of, as an alert where something is emulated; then what bears on all figures."""
    kind = "WARNING" if doubtful(run) else "NOTE"
    yield "\n".join([f"> [!{kind}]", *(f"> {text(sentence)}" for sentence in verdicts(run))])
    stopped = ["This run was stopped before its end."] if not run.results.complete else []
    told = [*stopped, *(f"Note: {note}." for note in notes(run.environment)), *run.results.remarks]
    if told:
        yield "\n".join(f"* {text(sentence)}" for sentence in told)


def _headline(run: Run) -> str:
    places = columns(run)
    rows = [row for group in headline(run) for row in _rows(group, len(places), run.terms.baseline)]
    heads = [
        f"{text(place.name)} (baseline)" if place.variant == run.terms.baseline else text(place.name)
        for place in places
    ]
    return table(["metric", *heads], rows)


def _unsure(run: Run) -> Iterator[str]:
    """Why cells have no interval, each reason once."""
    cells = (cell for group in headline(run) for row in group.rows for cell in row.cells)
    yield from dict.fromkeys(cell.unsure for cell in cells if cell.unsure)


def _rows(group: Group, width: int, baseline: str) -> Iterator[list[str]]:
    yield [f"**{text(group.benchmark)}**", *[""] * width]
    for row in group.rows:
        arrow = "↓" if row.metric.direction == "lower" else "↑"
        name = text(row.metric.name.removeprefix(f"{group.benchmark}."))
        yield [
            f"{name} {text(row.under)} {arrow}".replace("  ", " "),
            *(_cell(cell, group.baseline != baseline) for cell in row.cells),
        ]


def _cell(cell: Cell, own_baseline: bool) -> str:
    if cell.missing:
        first = cell.missing.partition("\n")[0]
        return f"*{text(first if len(first) <= 120 else first[:119] + '…')}*"
    parts = [f"**{text(cell.value)}**"]
    if cell.baseline and own_baseline:
        parts.append("baseline here")
    elif cell.ratio:
        parts.append(text(f"{cell.ratio} {cell.interval}".strip()))
        if cell.judgement:
            parts.append(f"{cell.judgement.sign} {text(cell.judgement.word)}")
    elif cell.unsure:
        parts.append("no ratio")
    return "<br>".join(parts)


def _list(heading: str, sentences: Iterator[str]) -> Iterator[str]:
    found = list(sentences)
    if found:
        yield "\n".join([f"**{heading}**", "", *(f"* {sentence}" for sentence in found)])


def _cautions(run: Run) -> Iterator[str]:
    for subject in run.terms.subjects:
        for sentence in cautions(run, subject):
            yield f"{text(subject.benchmark)}: {text(sentence.removesuffix('.'))}."


def _failures(run: Run) -> Iterator[str]:
    for one in run.results.failures:
        yield (
            f"**{text(one.benchmark)} on {text(one.variant)}**: {text(one.status)} in {one.measured} trial(s)"
            + (f" and {one.warmups} warm-up(s)" if one.warmups else "")
            + f": {text(one.reason.partition(chr(10))[0])}"
        )
    for missing in run.terms.not_run:
        yield f"**{text(missing.backend)}** was not run: {text(missing.reason)} {text(missing.hint)}".rstrip()


def _metrics(run: Run) -> Iterator[str]:
    for subject in run.terms.subjects:
        for metric in subject.headline:
            yield f"* **{text(metric.name)}** ({metric.direction} is better): {text(metric.definition)}"


def _facts(run: Run) -> list[tuple[str, str]]:
    return host_facts(run.environment)
