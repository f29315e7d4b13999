#!/usr/bin/env python3
"""Writes the pages of docs/reproductions from the data of runs: tools/reproductions.py [RUN]...

Each RUN is the folder of an `isoscope reproduce`. Its data and its plot of ratios are copied, and all pages are written
from the data that are there, so that no figure of them is typed by hand.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from isoscope.benchmarks.report.gfm import block, table, text
from isoscope.benchmarks.reproduce.result import FILE, Reproduction, Row
from isoscope.benchmarks.reproduce.table import amount, within
from isoscope.benchmarks.results.quantity import MISSING, interval, number

DIRECTORY = Path(__file__).resolve().parents[1] / "docs/reproductions"
PLOT = "reproduction-ratios.svg"
INDEX = "index.md"


def slug(recipe: str) -> str:
    """The name of a recipe's files."""
    return recipe.replace("/", "-")


def take(run: Path, directory: Path = DIRECTORY) -> None:
    """Copy what a run found. Raises InputError when it is no reproduction, or one that is no verdict."""
    found = Reproduction.from_dict(json.loads((run / FILE).read_text(encoding="utf-8")))
    if found.quick or not found.complete:
        sys.exit(f"{run} is {'a quick look' if found.quick else 'not complete'}: it has no verdict to show")
    if not (run / "plots" / PLOT).exists():
        sys.exit(f"{run} has no ratio: its study has no figures of two systems")
    directory.mkdir(exist_ok=True)
    shutil.copy(run / FILE, directory / f"{slug(found.recipe)}.json")
    shutil.copy(run / "plots" / PLOT, directory / f"{slug(found.recipe)}.svg")


def stored(directory: Path = DIRECTORY) -> list[Reproduction]:
    """What was copied, by recipe."""
    paths = sorted(directory.glob("*.json"))
    return [Reproduction.from_dict(json.loads(path.read_text(encoding="utf-8"))) for path in paths]


def pages(found: list[Reproduction]) -> dict[str, str]:
    """Every page by its name."""
    return {INDEX: index(found), **{f"{slug(one.recipe)}.md": page(one) for one in found}}


def index(found: list[Reproduction]) -> str:
    """The verdicts at a glance."""
    rows = [(f"[{text(one.recipe)}]({slug(one.recipe)}.md)", f"**{one.verdict}**", text(one.sentence)) for one in found]
    parts = [
        "# Reproductions",
        "*`tools/reproductions.py` writes these pages from the data of the runs.*",
        "Published comparisons, repeated: [how a verdict is reached](../explanation/reproducing.md).",
        table(("item", "verdict", "in words"), rows) if rows else "None is kept here yet.",
    ]
    if found:
        names = "\n".join(slug(one.recipe) for one in found)
        parts.append(f"```{{toctree}}\n:hidden:\n\n{names}\n```")
    return "\n\n".join(parts) + "\n"


def page(found: Reproduction) -> str:
    """One reproduction."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items() if version)
    settings = [(text(s.name), text(s.study), text(s.here), text(s.rule)) for s in found.settings]
    parts = [
        f"# {text(found.recipe)}: {found.verdict}",
        f"**{text(found.sentence)}.**",
        f"{text(found.citation)}. {found.link}",
        f"Measured {found.created_at} in {found.blocks} blocks on {text(found.host)}; {text(versions)}.",
        f"![Ratios to the baseline, theirs and ours]({slug(found.recipe)}.svg)",
        table(("workload", "system", "their ratio", "band", "our ratio", "verdict"), map(_cells, _shown(found))),
        *_reasons(found),
        "## The noise",
        "The baseline against itself: " + "; ".join(_twins(found)) + ".",
        "## What was scaled",
        table(
            ("", "study", "here", "rule"), [("host", text(found.study_host), text(found.host), "not scaled"), *settings]
        ),
        "## What stood for what",
        table(("system", "here", ""), [_stand(s.name, s.variant, s.note, s.unavailable) for s in found.systems]),
        "## How to repeat it",
        block(found.command),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _shown(found: Reproduction) -> list[Row]:
    return [row for row in found.rows if row.verdict is not None]


def _cells(row: Row) -> tuple[str, ...]:
    accelerator = f" ({row.accelerator})" if row.accelerator else ""
    ratio = f"{amount(row.ratio)} {interval(row.ratio.interval)}".strip() if row.ratio else MISSING
    return (
        text(f"{row.short} ({row.metric})"),
        text(row.system + accelerator),
        MISSING if row.published_ratio is None else number(row.published_ratio),
        within(row.band),
        ratio,
        row.verdict.value if row.verdict else "",
    )


def _reasons(found: Reproduction) -> Iterator[str]:
    from isoscope.benchmarks.reproduce.table import reasons

    told = [f"* {text(line)}." for line in reasons(found.rows)]
    if told:
        yield "\n".join(told)


def _twins(found: Reproduction) -> Iterator[str]:
    for one in found.noise:
        yield text(f"{one.workload}, {one.metric}: {amount(one.ratio)} {interval(one.ratio.interval)}".strip())


def _stand(name: str, variant: str, note: str, unavailable: str) -> tuple[str, str, str]:
    told = "; ".join(filter(None, (note, unavailable and f"not measured: {unavailable}")))
    return text(name), f"`{variant}`" if variant else MISSING, text(told)


def main() -> None:
    """Take the runs that are named, and write every page."""
    for run in sys.argv[1:]:
        take(Path(run))
    for name, content in pages(stored()).items():
        (DIRECTORY / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
