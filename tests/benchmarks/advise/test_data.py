"""The rules, candidates and published figures that ship: whole, and true of the backends."""

import pytest
from isoscope.backends.container.backend import ContainerBackend
from isoscope.backends.process.backend import ProcessBackend
from isoscope.backends.vm.backend import VmBackend
from isoscope.benchmarks.advise import candidates as who
from isoscope.benchmarks.advise import published as others
from isoscope.benchmarks.advise.fields import BY_NAME
from isoscope.benchmarks.advise.figures import costs
from isoscope.benchmarks.advise.published import published
from isoscope.benchmarks.advise.rules import rules
from isoscope.benchmarks.metrics import metric
from isoscope.core.capabilities import Capabilities


def test_every_rule_says_who_says_so_and_speaks_of_fields_and_traits_that_exist(candidates):
    traits = {name for one in candidates for name in one.traits}
    for rule in rules():
        assert rule.source
        assert rule.why
        assert set(rule.bars) <= traits
        for name, values in rule.when.items():
            read = {BY_NAME[name].read(text) for text in BY_NAME[name].choices}
            assert set(values) <= read


def test_every_requirement_that_is_no_number_has_a_rule():
    asked = {field.name for field in BY_NAME.values() if field.choices}
    assert {name for rule in rules() for name in rule.when} == asked


@pytest.mark.parametrize("backend", [ProcessBackend, ContainerBackend, VmBackend])
def test_the_table_of_candidates_agrees_with_what_backends_declare(backend):
    one = who.candidate(backend.name, backend.capabilities)
    assert (one.traits["kernel"] == "own") == backend.capabilities.own_kernel
    assert one.kind != who.UNKNOWN
    assert one.traits["source"]


def test_of_a_strangers_backend_nothing_is_relied_on_but_what_it_declares():
    mine = who.candidate("mine", Capabilities(own_kernel=True, limits=frozenset({"memory"})))
    assert (mine.kind, mine.layers) == (who.UNKNOWN, 3)
    out = {rule.name for rule in rules() if rule.excludes(mine)}
    assert "a kernel that strangers' code shares with the host is their way out" in out
    assert "a kernel of its own" not in out
    assert "a hard limit of memory" not in out


def test_an_options_value_tells_runtimes_apart():
    kinds = {
        name: who.candidate(f"oci:runtime={name}", Capabilities()).kind for name in ("runc", "runsc", "kata-runtime")
    }
    assert kinds == {"runc": "container", "runsc": "user-space kernel", "kata-runtime": "virtual machine"}


def test_costs_are_metrics_of_the_registry():
    for cost in costs().values():
        assert metric(cost.metric).name == cost.metric
        assert not cost.weight or cost.weight in BY_NAME


def test_every_published_figure_is_there_cited_and_decides_only_as_a_ratio_that_was_read_in_the_source(candidates):
    found = [f for one in candidates for cost in costs().values() if (f := published(one, cost)) is not None]
    assert len({(figure.cost, figure.detail) for figure in found}) == len(others.entries())
    for figure in found:
        assert figure.citation
        assert figure.value > 0
        assert not (figure.decides and "second-hand" in figure.detail)
        assert not (figure.decides and costs()[figure.cost].of != "slowdown")


def test_the_ratio_is_the_studys_own(candidates):
    """RC25482: 290.83 GFLOPS native, 284.2 in a tuned machine."""
    figure = published(candidates[-1], costs()["cpu"])
    assert figure.value == pytest.approx(290.83 / 284.2)
