"""What a reader of density figures must know first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from isoscope.benchmarks.density import metrics
from isoscope.benchmarks.density.options import THIS
from isoscope.benchmarks.density.ramp import BUDGET, ENOUGH
from isoscope.benchmarks.density.requests import RESOURCES

if TYPE_CHECKING:
    import pandas as pd
    from isoscope.benchmarks.results.run import Run

_NAME = "density"

#: Marginal memory, of MemAvailable over that of Pss or the other way round, beyond which one of them is disturbed.
_APART = 2.0


def cautions(run: Run) -> list[str]:
    """Sentences about a run that has density in it."""
    frame = run.trials
    measured = frame[(frame["benchmark"] == _NAME) & (frame["status"] == "ok") & ~frame["warmup"]]
    return [*_ends(run, measured), *_binding(run, measured), *_unequal(run), *_ksm(measured), *_disturbed(run)]


def _rows(run: Run, frame: pd.DataFrame, metric: str) -> Iterator[tuple[str, list[dict[str, Any]], list[float]]]:
    """Each variant with the labels and the values of its rows of a metric."""
    for variant in run.terms.variants:
        rows = frame[(frame["metric"] == metric) & (frame["variant"] == variant)]
        if len(rows):
            yield variant, list(rows["labels"]), [float(value) for value in rows["value"]]


def _ends(run: Run, frame: pd.DataFrame) -> Iterator[str]:
    """Where ramps did not come up to what was asked."""
    asked = run.terms.subject(_NAME).options["upto"]
    for variant, labels, values in _rows(run, frame, metrics.REACHED.name):
        early = [(one["limit"], value) for one, value in zip(labels, values, strict=True) if one["limit"] != ENOUGH]
        for limit, count in Counter(limit for limit, _ in early).most_common():
            most = max(value for what, value in early if what == limit)
            if limit == "failure":
                yield f"{variant}: an instance failed in {count} ramp(s); at most {most:.0f} of {asked} ran"
            else:
                what = "the time budget" if limit == BUDGET else f"a limit of the host, {limit},"
                yield f"{variant}: {what} ended {count} ramp(s), at {most:.0f} of {asked} instances"


def _binding(run: Run, frame: pd.DataFrame) -> Iterator[str]:
    """Which limit says how many fit, for each host."""
    found: dict[str, dict[str, list[str]]] = {}
    for variant, labels, _ in _rows(run, frame, metrics.FITS.name):
        for host in dict.fromkeys(str(one["host"]) for one in labels):
            counts = Counter(str(one["binding"]) for one in labels if one["host"] == host)
            names = " or ".join(name for name, _ in counts.most_common())
            found.setdefault(host, {}).setdefault(names, []).append(variant)
    for host, binding in found.items():
        where = host if host == THIS else f"a host of {host}"
        words = "; ".join(f"{names} for {', '.join(variants)}" for names, variants in binding.items())
        yield f"what limits how many fit {where}: {words}"


def _unequal(run: Run) -> Iterator[str]:
    if run.terms.subject(_NAME).options["unequal"] == "yes":
        options = [variant.options for variant in run.terms.parsed_variants]
        asked = {tuple(own.get(name) for name in RESOURCES) for own in options}
        if len(asked) > 1:
            yield "the variants ask for unequal resources, as was allowed: their numbers differ for that reason, too"


def _ksm(frame: pd.DataFrame) -> Iterator[str]:
    seen = {str(labels["ksm"]) for labels in frame.loc[frame["metric"] == metrics.REACHED.name, "labels"]}
    if any(state != "off" for state in seen):
        yield (
            "KSM is on: equal pages of VMs are merged over minutes, and not within the moment that each step is given, "
            "so more would fit later"
        )


def _disturbed(run: Run) -> Iterator[str]:
    found: dict[str, dict[str, float]] = {}
    for metric in (metrics.MARGINAL_MEMORY, metrics.MARGINAL_PSS):
        for one in run.results.of(_NAME, metric.name, "headline"):
            if one.p50 is not None:
                found.setdefault(one.name, {})[metric.name] = one.p50
    for name, values in found.items():
        memory, pss = (values.get(metric.name) for metric in (metrics.MARGINAL_MEMORY, metrics.MARGINAL_PSS))
        if memory is not None and pss is not None and memory * _APART < pss:
            yield (
                f"{name}: the host's available memory fell by less than half of what the instances' processes hold: "
                "others freed memory meanwhile, or the ramp was too short to tell"
            )
