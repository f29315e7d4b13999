from hypothesis import given
from hypothesis import strategies as st
from isoscope.core.timeline import Timeline

PHASES = ("cgroup", "clone", "exec", "ready")


@given(st.lists(st.integers(0, 10**12), min_size=5, max_size=5).map(sorted), st.sets(st.sampled_from(PHASES[:-1])))
def test_phases_sum_to_the_whole_even_where_one_was_not_seen(moments, unseen):
    timeline = Timeline(PHASES)
    for name, at_ns in zip(("start", *PHASES), moments, strict=True):
        if name not in unseen:
            timeline.mark(name, at_ns)
    assert sum(timeline.phases().values()) == timeline.span("start", "ready")
    assert set(timeline.phases()) == set(PHASES) - unseen


def test_there_are_no_phases_before_ready():
    timeline = Timeline(PHASES)
    timeline.mark("start")
    timeline.mark("cgroup")
    assert timeline.phases() == {}
    assert timeline.span("start", "ready") is None


def test_the_first_record_of_a_moment_stands():
    timeline = Timeline(PHASES)
    timeline.mark("ready", 5)
    timeline.mark("ready", 9)
    assert timeline.moments["ready"] == 5


def test_the_phase_that_lasts_is_the_one_behind_the_last_that_ended():
    timeline = Timeline(PHASES)
    seen = [timeline.pending()]
    for name in ("start", "clone", "exec", "ready"):  # the end of the first phase was not seen
        timeline.mark(name)
        seen.append(timeline.pending())
    assert seen == ["", "cgroup", "exec", "ready", ""]
