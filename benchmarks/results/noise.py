"""The selftests of a host: kept in its state directory, and what they say about a run's figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.harness.terms import Terms
from isoscope.benchmarks.results.files import read_json, write_json
from isoscope.core.errors import InputError

if TYPE_CHECKING:
    from isoscope.benchmarks.results.run import Run

#: In the state directory; docs/reference/run-format.md has its fields.
FILE = "selftest.json"

SCHEMA = 1

#: What a result is of: a later one takes its place.
_KEY = ("host", "benchmark", "metric", "variant", "accelerator", "labels")


def load(home: Path, host: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The results that were found on this host as it is. None when nothing was, or the file cannot be read."""
    return [one for one in _stored(home) if one["host"] == dict(host)]


def store(home: Path, results: Sequence[dict[str, Any]]) -> None:
    """Keep results; earlier ones of the same are replaced. Raises HostError."""
    keys = [[one[name] for name in _KEY] for one in results]
    kept = [one for one in _stored(home) if [one[name] for name in _KEY] not in keys]
    write_json(home / FILE, {"schema": SCHEMA, "results": [*kept, *results]})


def known(environment: Mapping[str, Any], terms: Terms) -> list[dict[str, Any]]:
    """Those results that bear on a run: of its benchmarks, and of backends that it compared."""
    benchmarks = {subject.benchmark for subject in terms.subjects}
    backends = {variant.backend for variant in terms.parsed_variants}
    return [
        one
        for one in environment.get("selftest") or ()
        if one["benchmark"] in benchmarks and one["backend"] in backends and one["comparisons"]
    ]


def sentences(floor: Iterable[Mapping[str, Any]], run: Run) -> Iterator[str]:
    """The noise floor in words, or that nobody knows it. Nothing of a run that is older than selftests are."""
    found = list(floor)
    for one in found:
        yield _sentence(one)
    if not found and "selftest" in run.environment:
        made = "of these benchmarks and backends " if run.environment["selftest"] else ""
        yield f"Noise floor: no selftest {made}was made on this host (isoscope selftest)."


def _sentence(one: Mapping[str, Any]) -> str:
    labels = "".join(f" {key}={value}" for key, value in one["labels"].items())
    width = "" if one["half_width"] is None else f"the interval was typically ± {one['half_width']:.1%} wide, and "
    return (
        f"Noise floor on this host: in {one['comparisons']} comparisons of {one['variant']} with itself "
        f"({one['blocks']} blocks each, {one['at'][:10]}), {width}the ratio of {one['metric']}{labels} was at most "
        f"{one['greatest']:.1%} off 1."
    )


def _stored(home: Path) -> list[dict[str, Any]]:
    """All that is stored; nothing of a file of another schema, or one that somebody has changed."""
    if not (home / FILE).exists():
        return []
    try:
        data = read_json(home / FILE)
    except InputError:
        return []
    results = data.get("results") if data.get("schema") == SCHEMA else None
    if not isinstance(results, list):
        return []
    fields = {*_KEY, "backend", "comparisons", "blocks", "half_width", "greatest", "at"}
    return [one for one in results if isinstance(one, dict) and fields <= one.keys()]
