"""`reproduction.json` and `reproduction.html`: what was found, as data and as one file that works offline."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path

from isoscope.benchmarks.report.figure import Figure
from isoscope.benchmarks.report.template import environment
from isoscope.benchmarks.reproduce import rule
from isoscope.benchmarks.reproduce.judge import judge
from isoscope.benchmarks.reproduce.offer import offered
from isoscope.benchmarks.reproduce.result import FILE, Reproduction
from isoscope.benchmarks.reproduce.table import amount, within
from isoscope.benchmarks.results.files import write_json, write_text
from isoscope.benchmarks.results.quantity import MISSING
from isoscope.benchmarks.results.run import Run

PAGE = "reproduction.html"

_log = logging.getLogger(__name__)


def write_again(directory: Path) -> Path:
    """Judge the run in `directory` anew and write its page. Raises InputError when it repeats no study."""
    write(Run.load(directory))
    return directory / PAGE


def write(run: Run) -> Reproduction:
    """Judge a run, and write `reproduction.json`, `reproduction.html` and their plots. Raises HostError."""
    found = judge(run)
    drawn = figures(found, run)
    plots = run.directory / "plots"
    plots.mkdir(exist_ok=True)
    for figure in drawn:
        write_text(plots / f"{figure.name}.svg", figure.alone())
    write_json(run.directory / FILE, found.as_dict())
    write_text(run.directory / PAGE, render(found, drawn))
    return found


def figures(found: Reproduction, run: Run) -> list[Figure]:
    """The plots of its recipe. A defect in them costs the plots, not the verdict."""
    recipe = offered(found.recipe)
    try:
        return [*recipe.distributions(run), *recipe.figures(found)]
    except Exception:
        _log.warning("the plots of %s could not be made", found.recipe, exc_info=True)
        return []


def render(found: Reproduction, drawn: list[Figure]) -> str:
    """The page."""
    made = environment()
    made.filters |= {"amount": amount, "within": within}
    text = (files("isoscope.benchmarks.reproduce") / "reproduction.html").read_text(encoding="utf-8")
    return made.from_string(text).render(
        found=found,
        figures=drawn,
        whys=list(dict.fromkeys(row.reason for row in found.rows if row.reason)),
        missing=MISSING,
        smallest=rule.SMALLEST,
        share=rule.SHARE,
        greatest=rule.GREATEST,
    )
