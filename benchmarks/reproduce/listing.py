"""What `isoscope reproduce --list` shows: every item, what it needs, how long it takes, and whether it goes here."""

from __future__ import annotations

from typing import Any

from isoscope.benchmarks.harness.extent import QUICK
from isoscope.benchmarks.harness.plan import WARMUP_BLOCKS
from isoscope.benchmarks.published import Published, Study, figures, items, study
from isoscope.benchmarks.reproduce.carry_out import lacks
from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.offer import recipes
from isoscope.benchmarks.reproduce.recipe import Plan, Recipe
from isoscope.core.lab import Lab


def repeatable(lab: Lab) -> list[dict[str, Any]]:
    """An entry for each item with a recipe, then one for each that has figures alone."""
    here = Here.of(lab)
    known = recipes(lab)
    figures_alone = [
        {**_about(study(pair[0]), pair[1]), "recipe": False, "rows": _rows(figures(*pair)), "ready": False}
        for pair in items()
        if "/".join(pair) not in known
    ]
    return [*(_entry(lab, make(), here) for make in known.values()), *figures_alone]


def seconds(plan: Plan, blocks: int) -> float:
    """What a plan takes here, roughly: its systems and the baseline's twin, in every block and in the warm-up."""
    variants = len({system.variant for system in plan.systems}) + 1
    return plan.trial_seconds * variants * (blocks + WARMUP_BLOCKS)


def _entry(lab: Lab, recipe: Recipe, here: Here) -> dict[str, Any]:
    plan = recipe.plan(here, quick=False)
    found = lacks(lab, recipe, plan)
    systems = {system.name: system.variant for system in plan.systems}
    needs = recipe.needs
    return {
        **_about(recipe.source(), recipe.item),
        "recipe": True,
        "summary": recipe.summary,
        "systems": systems,
        "needs": {
            "backends": sorted({variant.partition(":")[0] for variant in systems.values()}),
            "images": list(needs.images),
            "programs": dict(needs.programs),
            "memory": needs.memory,
            "disk": needs.disk,
            "cpus": needs.cpus,
            "root": needs.root,
            "rig": needs.rig,
        },
        "settings": [vars(setting) for setting in plan.settings],
        "seconds": round(seconds(plan, plan.blocks)),
        "quick_seconds": round(seconds(recipe.plan(here, quick=True), QUICK)),
        "rows": _rows(recipe.published()),
        "ready": found.reason is None,
        "reason": found.reason.what if found.reason else "",
        "remedy": found.reason.remedy if found.reason else "",
        "left_out": {name: {"reason": lack.what, "remedy": lack.remedy} for name, lack in found.variants.items()},
    }


def _about(source: Study, item: str) -> dict[str, Any]:
    return {"study": source.name, "item": item, "citation": source.citation, "link": source.link}


def _rows(published: tuple[Published, ...]) -> list[dict[str, Any]]:
    return [
        {
            "workload": one.workload,
            "metric": one.metric,
            "unit": one.unit,
            "system": one.system,
            "value": one.value,
            "basis": one.basis.value,
        }
        for one in published
    ]
