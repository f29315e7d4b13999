"""The judgement of `make bench`: what is worse, what is noise, and what cannot be told."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from isobench.baseline import Baseline, Figure, Kind, Known, Limit, judge, noise
from isobench.duel import Duel, Ledger
from isobench.rounds import Rounds, typical

KNOWN = Known(
    value=2.0, noise=0.1, spread=0.05, busy=0.1, unit="times C", runs=(1.9, 2.0, 2.1), date="2026-01-01", commit="abc"
)


def figure(value: float, **terms: float) -> Figure:
    return Figure("container", value, "times C", **terms)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (2.0, Kind.SAME),
        (2.19, Kind.SAME),
        (2.21, Kind.WORSE),
        (1.83, Kind.SAME),
        (1.81, Kind.BETTER),
    ],
)
def test_beyond_the_noise_is_worse_or_better(value, kind):
    assert judge(figure(value), KNOWN).kind is kind


def test_only_what_is_worse_or_unjudged_fails():
    assert [kind for kind in Kind if kind.fails] == [Kind.WORSE, Kind.UNJUDGED]


@pytest.mark.parametrize("unrest", [{"busy": 0.21}, {"spread": 0.16}])
def test_on_a_host_not_at_rest_nothing_is_worse_and_nothing_that_looks_so_passes(unrest):
    judged = judge(figure(2.21, **unrest), KNOWN)
    assert judged.kind is Kind.UNJUDGED
    assert "the host was not at rest" in judged.sentence
    assert judge(figure(2.19, **unrest), KNOWN).kind is Kind.SAME


@pytest.mark.parametrize("rest", [{"busy": 0.2}, {"spread": 0.15}])
def test_little_unrest_does_not_count(rest):
    assert judge(figure(2.21, **rest), KNOWN).kind is Kind.WORSE


def test_a_yardstick_that_always_was_unsteady_is_not_held_against_the_host():
    unsteady = Known(**{**vars(KNOWN), "spread": 0.2})
    assert judge(figure(2.21, spread=0.39), unsteady).kind is Kind.WORSE
    assert judge(figure(2.21, spread=0.41), unsteady).kind is Kind.UNJUDGED


def test_a_judgement_names_the_bench_now_then_and_the_noise():
    sentence = judge(figure(2.5), KNOWN).sentence
    assert sentence == "container: 2.5 times C, 2 at abc, noise 10%"


def test_without_a_baseline_a_figure_is_new_and_says_how_to_store_it():
    judged = judge(figure(2.0), None)
    assert judged.kind is Kind.NEW
    assert "--update-baseline" in judged.sentence


@pytest.mark.parametrize(
    ("value", "busy", "kind"), [(3.0, 1, Kind.SAME), (3.1, 0, Kind.WORSE), (3.1, 1, Kind.UNJUDGED)]
)
def test_a_limit_is_kept_or_not(value, busy, kind):
    assert Limit(figure(value, busy=busy), 3).kind is kind


def test_noise_is_three_standard_deviations_about_the_median():
    values = [2.0, 2.0 * 1.03, 2.0 / 1.03, 2.0 * 1.03, 2.0 / 1.03]
    assert noise(values) == pytest.approx(1.03**3 - 1, rel=1e-6)


def test_noise_is_never_less_than_five_percent_nor_than_what_was_seen():
    assert noise([2.0, 2.0, 2.0]) == 0.05
    assert noise([2.0]) == 0.05
    assert noise([1.0] * 60 + [2.0]) == pytest.approx(1)


def test_noise_of_a_run_that_was_much_faster_counts_as_much():
    assert noise([1.0] * 60 + [0.5]) == pytest.approx(1)


def test_a_known_figure_is_made_of_runs():
    runs = [figure(2.2, spread=0.1, busy=0.4), figure(2.0, spread=0.3), figure(2.1, spread=0.2)]
    found = Known.of(runs, date="d", commit="c")
    assert (found.value, found.spread, found.busy) == (2.1, 0.3, 0.4)
    assert (found.runs, found.unit) == ((2.2, 2.0, 2.1), "times C")
    assert found.noise == pytest.approx(noise([2.2, 2.0, 2.1]), abs=1e-3)


def test_the_typical_value_is_the_lower_quartile():
    assert typical([5, 1, 4, 2, 3]) == 2
    assert typical([1, 2, 3, 4]) == 1.75
    assert typical([7]) == 7
    with pytest.raises(ValueError, match="nothing"):
        typical([])


def test_bursts_of_others_do_not_enter_the_ratio():
    quiet = Rounds([30, 31, 30, 32] * 10, [10, 11, 10, 11] * 10)
    burst = Rounds([30, 31, 30, 32] * 10 + [900] * 20, [10, 11, 10, 11] * 10 + [400] * 19)
    assert burst.ratio == pytest.approx(quiet.ratio, rel=0.05)
    assert quiet.spread < 0.06


def test_a_yardstick_that_was_seldom_left_alone_shows():
    assert Rounds([1], [10] * 30 + [20] * 70).spread == 1


def test_a_baseline_is_what_was_saved(tmp_path: Path):
    path = tmp_path / "baseline.json"
    saved = Baseline({"cpu": "a"}, {"container": KNOWN})
    saved.save(path)
    assert Baseline.load(path) == saved
    assert Baseline.load(tmp_path / "none").figures == {}


@pytest.mark.parametrize(
    "data", [{}, [], {"machine": {}, "figures": {"x": {"value": 1}}}, {"machine": {}, "figures": []}]
)
def test_a_baseline_of_another_form_is_an_error(data, tmp_path: Path):
    (tmp_path / "baseline.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="is no baseline"):
        Baseline.load(tmp_path / "baseline.json")


def test_figures_of_another_machine_do_not_stay_beside_new_ones():
    new = Known(**{**vars(KNOWN), "commit": "new"})
    old = Baseline({"cpu": "a"}, {"container": KNOWN, "vm": KNOWN})
    assert old.updated({"cpu": "a"}, {"container": new}).figures == {"container": new, "vm": KNOWN}
    assert old.updated({"cpu": "b"}, {"container": new}).figures == {"container": new}


class Benchmark:
    """Stands for pytest-benchmark's fixture."""

    def __init__(self):
        self.extra_info = {}

    def pedantic(self, target, setup=None, rounds=1, iterations=1):
        for _ in range(rounds):
            if setup:
                setup()
            target()


def test_a_duel_measures_turn_by_turn_and_judges():
    turns = []

    def job(name, took):
        return lambda: turns.append(name) or took

    ledger = Ledger(Baseline({}, {"container": KNOWN}))
    duel = Duel(Benchmark(), ledger, judging=True)
    duel._busy = 0
    found = duel("container", job("ours", 30), job("yardstick", 10), to="C", rounds=3, warmups=1)
    assert turns == ["yardstick", "ours"] * 4
    assert (found.ours, found.yardstick) == ([30] * 3, [10] * 3)
    (failure,) = duel.failures
    assert "container: 3 times C, 2 at abc, noise 10%" in failure
    assert [one.value for one in ledger.figures["container"]] == [3]


def test_a_job_that_tells_no_time_is_timed():
    found = Duel(Benchmark(), Ledger(Baseline({}, {})), judging=False)(
        "x", lambda: sum(range(1000)) and None, lambda: None, to="nothing", rounds=2
    )
    assert statistics.fmean(found.ours) > statistics.fmean(found.yardstick) > 0


def test_the_stored_baseline_can_be_read():
    path = Path(__file__).parents[1] / "bench" / "baseline.json"
    assert Baseline.load(path).figures
