"""What the report shows of a run, made of invented values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.harness.terms import Subject, Terms
from isoscope.benchmarks.interference.benchmark import Interference
from isoscope.benchmarks.interference.metrics import FINISHED, SLOWDOWN
from isoscope.benchmarks.metrics import END_OF_TRIAL
from isoscope.core.workload import Workload

BLOCKS = 10


@dataclass(frozen=True)
class Met:
    """What became of the victim beside a neighbour, in every block."""

    slowdown: float | None
    ended: str = "finished"
    finished: int = BLOCKS  #: blocks in which it finished
    reason: str = "the victim did not finish within 10 times as long as alone"
    labels: tuple[tuple[str, Any], ...] = ()


Street = dict[tuple[str, str, str], Met]  # by variant, limits, neighbour

STREET: Street = {
    ("process", "on", "cpu"): Met(None, reason="limits=on: backend 'process' cannot limit cpus", finished=-1),
    ("process", "off", "cpu"): Met(1.5),
    ("container", "on", "cpu"): Met(1.2),
    ("container", "off", "cpu"): Met(1.6),
    ("container", "on", "fork-bomb"): Met(3.0, finished=7, ended="did not finish in time"),
    ("container", "off", "fork-bomb"): Met(None, ended="did not finish in time", finished=0),
    ("vm", "on", "cpu"): Met(1.1),
    ("vm", "on", "disk"): Met(None, reason="less than 2.0 GiB free", finished=-1),
    ("vm", "on", "memory"): Met(None, ended="was killed for want of memory", finished=0),
}


def rows(terms: Terms, street: Street) -> Iterator[dict[str, Any]]:
    for cell in terms.cells():
        common = {
            "schema": 1,
            "benchmark": "interference",
            "variant": cell.variant,
            "backend": cell.variant,
            "workload": "victim",
            "image": "sha256:" + "ab" * 32,
            "block": cell.block,
            "trial": cell.trial,
            "order": cell.trial,
            "warmup": cell.warmup,
            "started_at": "2026-01-02T03:04:05Z",
            "unit": "1",
        }
        for (variant, limits, neighbour), met in street.items():
            if variant != cell.variant or cell.warmup:
                continue
            here = {"limits": limits, "neighbour": neighbour}
            proof = {"neighbour_active": True, "host_cpus": 2, "accelerator": "tcg" if variant == "vm" else ""}
            finished = cell.block <= met.finished
            slowdown = met.slowdown and met.slowdown * (1 + cell.block / 100) if finished else None
            measured = met.finished >= 0
            labels = {**here, **proof, "ended": "finished" if finished else met.ended, **dict(met.labels)}
            for metric, value in ((SLOWDOWN, slowdown), (FINISHED, float(finished) if measured else None)):
                yield {
                    **common,
                    "metric": metric.name,
                    "value": value,
                    "status": "unavailable" if value is None else "ok",
                    "reason": met.reason if value is None else None,
                    "labels": labels if measured else here,
                }
        yield {
            **common,
            "metric": END_OF_TRIAL.name,
            "unit": "ns",
            "value": 1e9,
            "status": "ok",
            "reason": None,
            "labels": {},
        }


@pytest.fixture
def run_of(tmp_path: Path) -> Callable[..., Run]:
    def make(street: Street = STREET) -> Run:
        subject = Subject(
            benchmark="interference",
            workload=Workload(name="victim", image="neighbours", command=("sh",)),
            image="sha256:" + "ab" * 32,
            headline=Interference.headline,
            details=Interference.details,
            dimensions=Interference.dimensions,
            options={"victim": "cpu", "patience": "10"},
            harness=None,
        )
        terms = Terms(
            subjects=(subject,),
            variants=("process", "container", "vm"),
            baseline="process",
            blocks=BLOCKS,
            seed=7,
            created_at="2026-01-02T03:04:05Z",
            versions={},
            host={},
        )
        (tmp_path / "manifest.json").write_text(json.dumps(terms.as_dict()))
        (tmp_path / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(terms, street)))
        return Run(tmp_path)

    return make


def test_the_matrix_has_a_cell_for_every_pair_with_what_became_of_the_victim(run_of):
    matrix = Interference().figures(run_of())[0]
    assert matrix.name == "interference-matrix"
    said = dict(part.split(": ", 1) for part in matrix.alternative.split("neighbour. ")[1].rstrip(".").split(". "))
    assert said["process, limits on"] == "cpu (competing) not run"
    assert said["process, limits off"].startswith("cpu (competing) 1.58 [")
    assert said["container, limits on"].startswith("cpu (competing) 1.27 [")
    assert said["container, limits on"].endswith("3.12, 7 of 10")  # an interval needs nine blocks
    assert said["container, limits off"].endswith("fork-bomb (adversarial) did not finish")
    words = "cpu (competing) 1.16 [1.13, 1.19]; memory (orthogonal) out of memory; disk (orthogonal) not run"
    assert said["vm (tcg), limits on"] == words
    assert list(said) == [
        "process, limits on",
        "process, limits off",
        "container, limits on",
        "container, limits off",
        "vm (tcg), limits on",
    ]


def test_every_word_of_the_matrix_is_text_in_the_picture(run_of):
    svg = Interference().figures(run_of())[0].svg
    assert "did not finish" in svg
    assert "out of memory" in svg
    assert "not run" in svg
    assert "7 of 10" in svg


def test_slowdowns_have_their_intervals_neighbour_by_neighbour(run_of):
    slowdowns = Interference().figures(run_of())[1]
    assert slowdowns.name == "interference-slowdown"
    places = [slowdowns.alternative.index(f"neighbour={name}") for name in ("cpu", "fork-bomb")]
    assert places == sorted(places)
    assert "95 % interval" in slowdowns.alternative
    assert "memory" not in slowdowns.alternative  # where nobody finished there is nothing to show


def test_a_run_in_which_nobody_finished_has_its_matrix_all_the_same(run_of):
    figures = Interference().figures(run_of({("container", "off", "fork-bomb"): Met(None, "late", finished=0)}))
    assert [figure.name for figure in figures] == ["interference-matrix"]
    assert "did not finish" in figures[0].alternative


def test_a_run_without_trials_has_no_figures_and_no_cautions(run_of):
    run = run_of({})
    assert Interference().figures(run) == []
    assert Interference().cautions(run) == []


def test_cautions_say_what_the_host_is_and_what_the_neighbours_are_not(run_of):
    cautions = Interference().cautions(run_of())
    assert len(cautions) == 2
    assert cautions[0].startswith("The host has 2 CPUs:")
    assert "ceilings of their own" in cautions[1]
    only_limited = Interference().cautions(run_of({("vm", "on", "cpu"): Met(1.1)}))
    assert len(only_limited) == 1


def test_a_neighbour_that_was_gone_and_a_host_that_groups_by_session_are_told(run_of):
    labels = (("neighbour_active", False), ("autogroup", True))
    street = {("vm", "on", "cpu"): Met(1.1), ("container", "on", "cpu"): Met(1.1, labels=labels)}
    cautions = Interference().cautions(run_of(street))
    assert any("sched_autogroup_enabled" in text for text in cautions)
    assert any(text.startswith("In 10 of 20 cases the neighbour ended before the victim") for text in cautions)
