"""Order, budgets and footing, from figures that are made up."""

from dataclasses import replace

import pytest
from isoscope.benchmarks.advise.advice import conclude
from isoscope.benchmarks.advise.decision import Assessment, Footing, decide
from isoscope.benchmarks.advise.figures import Basis, Figure
from isoscope.benchmarks.advise.subject import Subject
from isoscope.benchmarks.results.past import Past
from isoscope.core.backend import Lack
from isoscope.core.workload import Resources, Workload

MS = 1e6


def figure(cost, value, low=None, high=None, *, basis=Basis.MEASURED, decides=True):
    return Figure(cost, value, low, high, "1", basis, "run", "made up", decides)


def exact(cost, value, basis=Basis.MEASURED):
    return figure(cost, value, value, value, basis=basis)


def subject(resources=None, **values):
    resources = resources or Resources()
    return Subject(Workload(resources=resources), values, "made up")


@pytest.fixture
def three(candidates):
    """A process, a container and a machine."""
    return {name: next(one for one in candidates if one.variant == name) for name in ("process", "container", "vm")}


def order(decision):
    return [one.candidate.variant for one in decision.here]


def test_each_share_of_the_time_takes_as_many_times_as_its_resource(three):
    figures = {"cpu": exact("cpu", 1.2), "disk": exact("disk", 2.0), "start": exact("start", 500 * MS)}
    found = decide(subject(cpu=0.5, disk=0.25, lifetime=10.0), [Assessment(three["vm"], (), figures)]).answer
    assert found.total.value == pytest.approx(1 + 0.5 * 0.2 + 0.25 * 1.0 + 0.5 / 10)


def test_memory_counts_as_time_does(three):
    figures = {"bytes": exact("bytes", 64 << 20)}
    found = decide(subject(Resources(memory=128 << 20)), [Assessment(three["vm"], (), figures)]).answer
    assert found.total.value == pytest.approx(1.5)


def test_shares_of_more_than_the_whole_time_are_shares_of_their_sum(three):
    figures = {name: exact(name, 2.0) for name in ("cpu", "disk", "network")}
    found = decide(subject(cpu=1.0, disk=0.5, network=0.5), [Assessment(three["vm"], (), figures)]).answer
    assert found.total.value == pytest.approx(2.0)


def test_the_cheaper_goes_first_and_with_no_difference_shown_the_one_with_fewer_layers(three):
    container = Assessment(three["container"], (), {"cpu": figure("cpu", 1.5, 1.4, 1.6)})
    vm = Assessment(three["vm"], (), {"cpu": figure("cpu", 1.1, 1.0, 1.2)})
    assert order(decide(subject(cpu=1.0), [container, vm])) == ["vm", "container"]
    vm = replace(vm, figures={"cpu": figure("cpu", 1.3, 1.1, 1.5)})
    decision = decide(subject(cpu=1.0), [container, vm])
    assert order(decision) == ["container", "vm"]
    assert decision.tied


def test_a_look_without_intervals_shows_no_difference_of_a_few_per_cent(three):
    container = Assessment(three["container"], (), {"cpu": figure("cpu", 1.04)})
    vm = Assessment(three["vm"], (), {"cpu": figure("cpu", 1.0)})
    assert order(decide(subject(cpu=1.0), [vm, container])) == ["container", "vm"]


def test_what_is_not_known_goes_before_more_layers_and_after_fewer(three):
    container, process = (Assessment(three[name], (), {}) for name in ("container", "process"))
    vm = Assessment(three["vm"], (), {"cpu": exact("cpu", 1.01)})
    decision = decide(subject(cpu=1.0), [vm, container])
    assert order(decision) == ["container", "vm"]
    assert decision.footing is Footing.MISSING
    known = replace(process, figures={"cpu": exact("cpu", 1.0)})
    decision = decide(subject(cpu=1.0), [vm, container, known])
    assert order(decision) == ["process", "container", "vm"]
    assert decision.footing is Footing.MEASURED
    assert [one.candidate.variant for one in decision.unweighed] == ["container"]


def test_figures_of_others_make_the_footing_theirs(three):
    container = Assessment(three["container"], (), {"cpu": exact("cpu", 1.0, Basis.PUBLISHED)})
    vm = Assessment(three["vm"], (), {"cpu": exact("cpu", 1.2, Basis.PUBLISHED)})
    assert decide(subject(cpu=1.0), [container, vm]).footing is Footing.PUBLISHED


def test_an_answer_rests_on_nothing_that_does_not_count(three):
    """Others' figures of what the workload does not do are shown, and were not weighed."""
    figures = {"cpu": exact("cpu", 1.0, Basis.PUBLISHED), "start": exact("start", 5 * MS)}
    known = [Assessment(three[name], (), figures) for name in ("container", "vm")]
    assert decide(subject(lifetime=2.0), known).footing is Footing.MEASURED
    assert decide(subject(), known).footing is Footing.MISSING


def test_others_figures_are_not_weighed_against_this_hosts(three):
    """A noisy host's container would lose to a machine of a quiet one."""
    container = Assessment(three["container"], (), {"cpu": exact("cpu", 1.5)})
    vm = Assessment(three["vm"], (), {"cpu": exact("cpu", 1.02, Basis.PUBLISHED)})
    decision = decide(subject(cpu=1.0), [container, vm])
    assert order(decision) == ["container", "vm"]
    assert decision.here[1].missing == ("cpu",)


@pytest.mark.parametrize(
    ("low", "high", "met"), [(50, 90, True), (50, 110, None), (101, 110, False)], ids=["below", "across", "above"]
)
def test_a_budget_is_kept_or_broken_when_the_whole_interval_says_so(three, low, high, met):
    figures = {"start": figure("start", 80 * MS, low * MS, high * MS)}
    decision = decide(subject(startup=0.1), [Assessment(three["vm"], (), figures)])
    ranked = (*decision.here, *decision.over)
    assert ranked[0].budgets[0].met is met
    assert bool(decision.over) is (met is False)


@pytest.mark.parametrize(("value", "met"), [(40, True), (60, None), (190, None), (210, False)])
def test_a_look_without_an_interval_may_be_off_by_a_factor_of_two(three, value, met):
    decision = decide(subject(startup=0.1), [Assessment(three["vm"], (), {"start": figure("start", value * MS)})])
    assert (*decision.here, *decision.over)[0].budgets[0].met is met


def test_another_hosts_start_breaks_no_budget_and_counts_in_no_total(three):
    figures = {"start": figure("start", 5000 * MS, basis=Basis.PUBLISHED, decides=False)}
    decision = decide(subject(startup=0.1, lifetime=1.0), [Assessment(three["vm"], (), figures)])
    assert decision.answer.budgets[0].met is None
    assert decision.answer.total is None
    assert decision.footing is Footing.MISSING


def test_a_rate_beyond_one_after_another_is_not_known(three):
    figures = {"start": exact("start", 100 * MS)}
    met = [
        decide(subject(starts=rate), [Assessment(three["vm"], (), figures)]).answer.budgets[0].met for rate in (9, 11)
    ]
    assert met == [True, None]


def test_what_is_not_ready_comes_after_all_that_is(three):
    away = replace(three["container"], lacks=(Lack("gone", "get it"),))
    decision = decide(subject(), [Assessment(away, (), {}), Assessment(three["vm"], (), {})])
    assert decision.answer.candidate.variant == "vm"
    assert decision.runner_up.candidate.variant == "container"


def test_no_machine_under_tcg_is_for_strangers_code(without_kvm):
    named = [one for one in without_kvm if one.variant == "vm"]
    found = conclude(subject(trust="untrusted", every_syscall=True), named, Past())
    assert [one.candidate.name for one in found.decision.here] == []
    assert found.decision.answer.candidate.name == "vm (kvm)"
    trusted = conclude(subject(kernel="own"), named, Past())
    assert trusted.decision.answer.candidate.name == "vm (tcg)"
