"""The selftest: variants compared with themselves, by the same harness and the same statistics as any comparison."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.harness import environment
from isoscope.benchmarks.harness.agree import agree
from isoscope.benchmarks.harness.compare import begin
from isoscope.benchmarks.harness.extent import LEAST_BLOCKS
from isoscope.benchmarks.harness.harness import Progress
from isoscope.benchmarks.results import noise
from isoscope.benchmarks.results.run import Run
from isoscope.core.comparison import Comparison
from isoscope.core.errors import HostError, InputError
from isoscope.core.lab import Lab
from isoscope.core.variant import Variant

if TYPE_CHECKING:
    from isoscope.benchmarks.results.aa import Result

#: Comparisons of each variant at most: their rate is then known to two per cent.
MOST_COMPARISONS = 400

#: Below the state directory, while it is measured.
FOLDER = "selftest"

#: What is compared with itself when nobody says: what is quick enough for a rate within a minute.
QUICK_BACKENDS = ("process", "container")


@dataclass(frozen=True)
class Selftest:
    """What is asked for."""

    variants: tuple[Variant, ...]
    benchmark: str
    blocks: int  #: of each comparison
    budget: float  #: seconds of measuring, for all variants together
    seed: int


def usual(lab: Lab) -> tuple[Variant, ...]:
    """The variants when none is named: quick backends that are ready here, or whatever is."""
    default = [name for name in lab.backend_names if lab.backend(name).by_default]
    ready = [name for name in default if not lab.backend(name).lacks()]
    return tuple(map(Variant, [name for name in QUICK_BACKENDS if name in ready] or ready))


def selftest(lab: Lab, asked: Selftest, progress: Progress) -> tuple[list[Result], int]:
    """Compare each variant with itself, and keep the results in the state directory.

    Returns them, and how many trials failed. Raises what `agree` raises, and InputError for too few blocks. A signal
    stops it, with `Interrupted`; nothing is kept then.
    """
    if asked.blocks < LEAST_BLOCKS:
        raise InputError(
            f"{asked.blocks} blocks have no interval that could be wrong", hint=f"take at least {LEAST_BLOCKS}"
        )
    with _folder(lab.home) as folder:
        runs = [
            _measure(lab, asked, variant, folder / str(place), progress) for place, variant in enumerate(asked.variants)
        ]
        progress({"event": "summary"})
        from isoscope.benchmarks.results import aa  # numerical libraries come in when all is measured

        found = [list(aa.results(run, run.terms.subjects[0], asked.blocks)) for run in runs]
        kept = [_kept(lab, run, one) for run, several in zip(runs, found, strict=True) for one in several]
        failed = sum(run.trials.loc[run.trials["status"] == "failed", "trial"].nunique() for run in runs)
    noise.store(lab.home, [one for one in kept if one["comparisons"]])
    return [one for several in found for one in several], failed


def _measure(lab: Lab, asked: Selftest, variant: Variant, directory: Path, progress: Progress) -> Run:
    comparison = Comparison(
        workload=None,
        variants=(variant,),
        benchmarks=(asked.benchmark,),
        blocks=MOST_COMPARISONS * asked.blocks,
        seed=asked.seed,
        quick=False,
        directory=directory,
        budget=asked.budget / len(asked.variants),
    )
    terms, benchmarks = agree(lab, comparison, progress)
    name = str(variant)
    twin = f"{name} (again)"
    terms = replace(terms, variants=(name, twin), twins={twin: name})
    stopped = begin(lab, directory, terms, benchmarks, progress)
    if stopped is not None:
        raise stopped
    return Run.load(directory)


def _kept(lab: Lab, run: Run, one: Result) -> dict[str, Any]:
    """What is stored of a result: with when and where it was found, and how busy others were."""
    before = run.environment["before"]
    return {"at": before["at"], "host": environment.identity(lab), "busy": before["busy"], **one.as_dict()}


@contextmanager
def _folder(home: Path) -> Iterator[Path]:
    """A folder for the runs, gone at the end. What a killed selftest left there goes first; two at once disturb."""
    folder = home / FOLDER
    try:
        folder.mkdir(exist_ok=True)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(f"cannot make {folder}: {error.strerror}", hint="set ISOSCOPE_HOME to another") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError("another selftest runs on this state directory", hint="wait for it") from None
        for name in os.listdir(folder):
            shutil.rmtree(folder / name)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(fd)


def names(variants: Sequence[str]) -> tuple[Variant, ...]:
    """Variants as they were typed, each once. Raises InputError."""
    found = tuple(Variant.parse(text) for text in variants)
    for variant in found:
        if found.count(variant) > 1:
            raise InputError(f"variant {str(variant)!r} stands twice", hint="give each once: its twin comes by itself")
    return found
