"""What every form of a difference says alike."""

from __future__ import annotations

from collections.abc import Iterator

from isoscope.benchmarks.diff.difference import Difference, Line
from isoscope.benchmarks.results.run import Run
from isoscope.benchmarks.results.verdict import verdicts


def heads(found: Difference) -> Iterator[str]:
    """Which run is which."""
    for name, run in (("first", found.first), ("second", found.second)):
        blocks = run.results.blocks_made
        made = f"{blocks} block{'' if blocks == 1 else 's'}, made {run.terms.created_at}"
        yield f"{name}: {run.directory}, {made} by isoscope {run.terms.versions.get('isoscope', 'unknown')}"


def warnings(found: Difference) -> Iterator[str]:
    """What a reader must know before any line."""
    for one in found.unlike:
        yield f"not alike: {one}"
    yield from dict.fromkeys(sentence for run in _runs(found) for sentence in verdicts(run))


def lines_of(found: Difference) -> dict[str, list[Line]]:
    """The lines that stand side by side, by benchmark."""
    by: dict[str, list[Line]] = {}
    for line in found.lines:
        if line.ratio is not None:
            by.setdefault(line.benchmark, []).append(line)
    return by


def notes(found: Difference) -> Iterator[str]:
    """What there is to say after the lines: what could not be compared, and how much chance there is in the rest."""
    yield from _gaps(found)
    shown = [line for line in found.lines if line.ratio is not None]
    for reason in dict.fromkeys(line.reason for line in shown if line.judgement is None):
        yield f"no verdict: {reason}"
    if any(line.floor is not None for line in shown):
        yield "A difference counts only where it exceeds what a selftest found between equals (noise floor)."
    judged = sum(line.judgement is not None for line in shown)
    if judged > 1:
        chance = max(1, round(judged / 20))
        yield f"Of {judged} lines without any difference, about {chance} would show one by chance (95 % each)."


def _gaps(found: Difference) -> Iterator[str]:
    """What has no ratio: one sentence for each variant and reason, however many series that concerns."""
    by: dict[tuple[str, str], list[str]] = {}
    for line in found.lines:
        if line.ratio is None:
            by.setdefault((line.variant, line.reason.partition("\n")[0]), []).append(line.metric.name)
    for (variant, reason), names in by.items():
        yield f"not comparable: {variant}, {reason} ({', '.join(dict.fromkeys(names))})"


def _runs(found: Difference) -> tuple[Run, Run]:
    return found.first, found.second
