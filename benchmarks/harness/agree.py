"""From a request to the terms of a run: whatever cannot be carried out is refused here, before anything is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from isoscope.benchmarks.benchmark import Benchmark
from isoscope.benchmarks.harness import environment
from isoscope.benchmarks.harness.extent import Extent
from isoscope.benchmarks.harness.harness import Progress
from isoscope.benchmarks.harness.terms import NotRun, Subject, Terms
from isoscope.benchmarks.request import Request
from isoscope.benchmarks.results.files import read_json
from isoscope.benchmarks.results.run import MANIFEST
from isoscope.core.comparison import Comparison
from isoscope.core.errors import BackendUnavailable, InputError
from isoscope.core.lab import Lab
from isoscope.core.plugins import choose, offers
from isoscope.core.variant import Variant
from isoscope.core.workload import Network, Workload

#: The backend that runs nothing: what a trial on it takes is the cost of the harness itself.
HARNESS = "null"

#: The backend that isolates nothing: ratios are to it, or to the first variant where it is not compared.
BASELINE = "process"


def agree(lab: Lab, comparison: Comparison, progress: Progress) -> tuple[Terms, dict[str, Benchmark]]:
    """The terms of a new run, and its benchmarks by name.

    Raises InputError, NotFound, Unsupported or BackendUnavailable.
    """
    extent = Extent.of(comparison)
    requests = {request.benchmark: request for request in _requests(comparison.benchmarks)}
    benchmarks = _benchmarks(lab, tuple(requests))
    names = _distinct("variant", [str(variant) for variant in comparison.variants])
    for variant in comparison.variants:
        _check(lab, variant)
    baseline = next((str(v) for v in comparison.variants if v.backend == BASELINE), names[0])
    terms = Terms(
        subjects=tuple(
            _subject(lab, comparison, benchmark, requests[name], progress) for name, benchmark in benchmarks.items()
        ),
        variants=names,
        baseline=baseline,
        blocks=extent.blocks,
        precision=extent.precision,
        budget=extent.budget,
        seed=comparison.seed,
        created_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        versions=environment.versions(lab),
        host=environment.identity(lab),
        not_run=_not_run(lab, comparison.variants),
    )
    return terms, benchmarks


def agreed(lab: Lab, directory: Path, progress: Progress) -> tuple[Terms, dict[str, Benchmark]]:
    """The terms of a run that goes on, its own, and its benchmarks by name.

    Raises InputError when this host or its images are not the same.
    """
    terms = Terms.from_dict(read_json(directory / MANIFEST))
    for name, before in terms.host.items():
        if (now := environment.identity(lab).get(name)) != before:
            raise InputError(
                f"the run was begun on another host: {name.replace('_', ' ')} was {before}, and is {now}",
                hint="trials of two hosts do not stand in one run: start a new one",
            )
    if (now := environment.isoscope_version()) != terms.versions["isoscope"]:
        raise InputError(
            f"the run was begun by isoscope {terms.versions['isoscope']}, and this is {now}",
            hint="start a new run, or use that version",
        )
    benchmarks = _benchmarks(lab, tuple(subject.benchmark for subject in terms.subjects))
    for variant in terms.parsed_variants:
        _check(lab, variant)
    for subject in terms.subjects:
        if _digest(lab, subject.workload, progress) != subject.image:
            raise InputError(
                f"image {subject.workload.image!r} has changed since the run was begun", hint="start a new run"
            )
    return terms, benchmarks


def _benchmarks(lab: Lab, names: Sequence[str]) -> dict[str, Benchmark]:
    """The benchmarks of those names. Raises NotFound, and InputError when there are none or one stands twice."""
    found = offers(lab.plugins.isoscope_register_benchmarks, "benchmark")
    return {name: choose(found, name, "benchmark")() for name in _distinct("benchmark", names)}


def _requests(texts: Sequence[str]) -> list[Request]:
    requests = Request.parse_list(texts)
    _distinct("benchmark", [request.benchmark for request in requests])
    return requests


def _distinct(kind: str, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise InputError(f"there is no {kind} to compare", hint="isoscope doctor says what each backend lacks")
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{kind} {name!r} stands twice", hint="give each once")
    return tuple(names)


def _check(lab: Lab, variant: Variant) -> None:
    """Refuse a variant whose backend is unknown, does not take its options, or cannot run here."""
    backend = lab.backend(variant.backend)
    options = variant.backend_options(backend.options)
    capabilities = backend.capabilities_for(options)
    own_terms = Workload().with_overrides(variant.options)
    if "network" not in variant.options:  # whether the workload's own suits the backend is for each trial to find
        own_terms = replace(own_terms, network=min(capabilities.networks, default=Network.NONE))
    capabilities.check(variant.kind, own_terms)
    if lacks := backend.lacks():
        raise BackendUnavailable(f"backend {variant.backend!r} cannot run here: {lacks[0].what}", hint=lacks[0].remedy)
    backend.check(options)


def _subject(lab: Lab, comparison: Comparison, benchmark: Benchmark, request: Request, progress: Progress) -> Subject:
    workload = comparison.workload or lab.workload(benchmark.workload)
    asked_for = any(variant.backend == HARNESS for variant in comparison.variants)
    hidden = HARNESS in lab.backend_names and not asked_for and _can(lab, HARNESS, benchmark)
    options = request.resolve(benchmark.options, quick=comparison.quick)
    own = {option.name: option.read(options[option.name]) for option in benchmark.options}
    benchmark.agree(lab, comparison.variants, workload, own)
    return Subject(
        benchmark=benchmark.name,
        workload=workload,
        image=_digest(lab, workload, progress),
        headline=benchmark.headline_for(own),
        details=benchmark.details,
        dimensions=benchmark.dimensions,
        options=options,
        harness=HARNESS if hidden else None,
    )


def _can(lab: Lab, backend: str, benchmark: Benchmark) -> bool:
    return all(getattr(lab.capabilities(Variant(backend)), name) for name in benchmark.requires)


def _digest(lab: Lab, workload: Workload, progress: Progress) -> str:
    progress({"event": "image", "image": workload.image})
    return lab.images.rootfs(workload.image).digest


def _not_run(lab: Lab, variants: Sequence[Variant]) -> tuple[NotRun, ...]:
    """The backends that cannot run here, when nobody chose: when every default one that can is compared, as it is."""
    lacks = {name: _lack(lab, name) for name in lab.backend_names if _by_default(lab, name)}
    if {str(variant) for variant in variants} != {name for name, missing in lacks.items() if missing is None}:
        return ()
    return tuple(missing for missing in lacks.values() if missing is not None)


def _by_default(lab: Lab, name: str) -> bool:
    """Whether it is compared when nobody chooses, or would be, were it not broken."""
    try:
        return lab.backend(name).by_default
    except Exception:
        return True


def _lack(lab: Lab, name: str) -> NotRun | None:
    """Why a backend cannot run here; one that cannot even be imported must not stop the comparison of others."""
    try:
        lacks = lab.backend(name).lacks()
    except Exception as error:
        return NotRun(name, f"it is broken: {type(error).__name__}: {error}", "uninstall or repair its plugin")
    return NotRun(name, lacks[0].what, lacks[0].remedy) if lacks else None
