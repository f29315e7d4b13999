"""Carries out a recipe: its plan becomes the terms of a run, the run is measured, and judged."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoscope.benchmarks.harness.agree import agree, check_variant
from isoscope.benchmarks.harness.compare import begin, derive
from isoscope.benchmarks.harness.display import unless_told
from isoscope.benchmarks.harness.extent import QUICK
from isoscope.benchmarks.harness.harness import Progress
from isoscope.benchmarks.harness.interrupts import Interrupted
from isoscope.benchmarks.reproduce.here import Here
from isoscope.benchmarks.reproduce.offer import chosen
from isoscope.benchmarks.reproduce.recipe import Needs, Plan, Recipe
from isoscope.benchmarks.reproduce.request import Asked
from isoscope.benchmarks.results.run import Run
from isoscope.core.backend import Lack
from isoscope.core.comparison import Comparison, new_folder
from isoscope.core.errors import HostError, InputError, IsoscopeError
from isoscope.core.lab import Lab
from isoscope.core.units import format_size
from isoscope.core.variant import Variant

if TYPE_CHECKING:
    from isoscope.benchmarks.reproduce.result import Reproduction

#: What the second series of the baseline is called, as a selftest calls it.
TWIN = "{} (again)"


@dataclass(frozen=True)
class Extent:
    """How much of a recipe is measured."""

    quick: bool = False
    blocks: int | None = None  #: as many as the plan says when None
    seed: int | None = None


def reproduce(
    lab: Lab,
    name: str,
    *,
    blocks: int | None = None,
    seed: int | None = None,
    quick: bool = False,
    directory: Path | str | None = None,
    progress: Progress | None = None,
) -> Reproduction:
    """Repeat one item of a published comparison, STUDY/ITEM, and return what was found.

    Every system is measured `blocks` times, by default as often as the recipe says; `quick` is a look, too short for a
    verdict. The run's folder defaults to `runs/` and the time; `Run.load` reads it. Raises NotFound for an unknown
    item, HostError when this host cannot repeat it, and what `Lab.compare` raises.
    """
    if "/" not in name:
        raise InputError(f"{name!r} is no item of a study", hint="isoscope reproduce --list shows them: STUDY/ITEM")
    [recipe] = chosen(lab, name)
    with unless_told(progress) as told:
        return carry_out(lab, recipe, Path(directory or new_folder()), Extent(quick, blocks, seed), told)[1]


def carry_out(
    lab: Lab, recipe: Recipe, directory: Path, extent: Extent, progress: Progress
) -> tuple[Run, Reproduction]:
    """Measure a recipe into a new folder, and judge it.

    Raises HostError when this host cannot repeat it, and what `Lab.compare` raises; `Interrupted` with the run, after
    what was measured has been judged.
    """
    plan = recipe.plan(Here.of(lab), quick=extent.quick)
    lacking = lacks(lab, recipe, plan)
    if lacking.reason:
        raise HostError(f"this host cannot repeat {recipe.name}: {lacking.reason.what}", hint=lacking.reason.remedy)
    systems = [one for one in plan.systems if one.variant not in lacking.variants]
    for variant, lack in lacking.variants.items():
        progress({"event": "note", "text": f"{variant} is left out: {lack.what} ({lack.remedy})"})
    baseline = plan.system(plan.baseline).variant
    comparison = Comparison(
        workload=None if plan.workload is None else lab.workload(plan.workload),
        variants=tuple(Variant.parse(name) for name in dict.fromkeys(one.variant for one in systems)),
        benchmarks=plan.benchmarks,
        blocks=QUICK if extent.quick else extent.blocks or plan.blocks,
        seed=secrets.randbits(32) if extent.seed is None else extent.seed,
        quick=extent.quick,
        directory=directory,
    )
    terms, benchmarks = agree(lab, comparison, progress)
    twin = TWIN.format(baseline)
    asked = Asked(recipe.name, plan, extent.quick, {name: lack.what for name, lack in lacking.variants.items()})
    terms = replace(
        terms,
        variants=(*terms.variants, twin),
        twins={twin: baseline},
        baseline=baseline,
        not_run=(),
        reproduction=asked.as_dict(),
    )
    stopped = begin(lab, directory, terms, benchmarks, progress)
    progress({"event": "summary"})
    return _finish(lab, directory, stopped)


def go_on(lab: Lab, directory: Path, progress: Progress) -> tuple[Run, Reproduction]:
    """Go on with a reproduction that was stopped, on its own terms, and judge it. Raises what `carry_out` raises."""
    run = Run.load(directory)
    Asked.of(run)
    stopped = None
    try:
        lab.compare(backends=run.terms.variants[:1], directory=directory, resume=True, progress=progress)
    except Interrupted as signal:
        if signal.run is None:
            raise
        stopped = signal
    return _finish(lab, directory, stopped)


def _finish(lab: Lab, directory: Path, stopped: Interrupted | None) -> tuple[Run, Reproduction]:
    from isoscope.benchmarks.reproduce.page import write  # numerical libraries come in when all is measured

    run, _ = derive(lab, directory)
    found = write(run)
    if stopped is not None:
        stopped.run = run
        raise stopped
    return run, found


@dataclass(frozen=True)
class Lacking:
    """What a host lacks for a recipe."""

    reason: Lack | None  #: why it cannot be repeated at all
    variants: Mapping[str, Lack]  #: those that cannot be measured, where others can


def lacks(lab: Lab, recipe: Recipe, plan: Plan) -> Lacking:
    """What this host lacks for a plan. Nothing is made, and no image is built."""
    variants = {}
    for name in dict.fromkeys(one.variant for one in plan.systems):
        try:
            check_variant(lab, Variant.parse(name))
        except IsoscopeError as error:
            variants[name] = Lack(error.message, error.hint)
    baseline = plan.system(plan.baseline).variant
    reason = next(iter(_unmet(recipe.needs, Here.of(lab))), None)
    if reason is None and baseline in variants:
        reason = variants[baseline]
    others = [one.variant for one in plan.systems if one.variant not in (baseline, *variants)]
    if reason is None and not others and variants:
        reason = next(iter(variants.values()))
    return Lacking(reason, variants)


def _unmet(needs: Needs, here: Here) -> list[Lack]:
    found = []
    if needs.root and not here.root:
        found.append(Lack("it needs root", "run it with sudo"))
    if here.cpus < needs.cpus:
        found.append(Lack(f"it needs {needs.cpus} CPUs, and {here.cpus} are here", "use a larger host"))
    if here.available < needs.memory:
        found.append(
            Lack(
                f"it needs {format_size(needs.memory)} of memory, and {format_size(here.available)} are available",
                "free some, or use a larger host",
            )
        )
    if here.disk_free < needs.disk:
        found.append(
            Lack(
                f"it needs {format_size(needs.disk)} of disk, and {format_size(here.disk_free)} are free",
                "free some, or set ISOSCOPE_HOME to a larger disk",
            )
        )
    for program, package in needs.programs.items():
        if shutil.which(program) is None:
            found.append(Lack(f"{program} is not installed", f"apt-get install {package}"))
    if needs.rig and not any(os.path.exists(f"/sys/class/net/{name}/device/sriov_totalvfs") for name in _links()):
        found.append(Lack("there is no card with SR-IOV here", "run it in the emulated host: isoscope rig --help"))
    return found


def _links() -> list[str]:
    try:
        return os.listdir("/sys/class/net")
    except OSError:
        return []
