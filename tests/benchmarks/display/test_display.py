"""What a notebook is given for the objects of the public API, and that strangers' text in it is text."""

import re
import sys
import xml.dom.minidom

import pytest
from isoscope.benchmarks import Run, plot_style
from isoscope.benchmarks.display import bundle
from isoscope.benchmarks.harness.interrupts import Interrupted
from isoscope.core import Exit, Plan, Result, Stats, Timeline, Variant, Workload
from isoscope.core.backend import Step
from isoscope.core.errors import InputError
from isoscope.testing.fake import FakePlugin, lab_with

from ..report.conftest import HOSTILE
from ..report.fake_run import make


def timeline(*moments):
    made = Timeline(("clone", "ready"))
    for name, at in moments:
        made.mark(name, at)
    return made


def result(text="hello\n", **changes):
    fields = {
        "workload": Workload(command=["echo", text]),
        "variant": Variant.parse("container"),
        "exit": Exit(code=0),
        "pieces": (("stdout", text.encode()), ("stderr", b"\xff\n")),
        "timeline": timeline(("start", 0), ("clone", 2_000_000), ("ready", 3_000_000), ("exit", 4_000_000)),
        "proof": {"kernel": text},
        "stats": Stats(cpu_ns=5_000_000, memory_peak=1 << 20),
    }
    return Result(**fields | changes)


def html(shown):
    [(kind, text)] = shown._repr_mimebundle_().items()
    assert kind == "text/html"
    return text


def test_a_result_shows_its_end_its_output_and_its_phases():
    text = html(result())
    for words in ("exit status 0", "hello", "clone 2 ms", "ready after 3 ms", "ended after 4 ms", "1 MiB", "<svg"):
        assert words in text
    assert "killed by the kernel for want of memory" in html(result(exit=Exit(signal=9, oom_killed=True)))


def test_text_of_strangers_is_text():
    shown = [result(HOSTILE), Plan([Step(HOSTILE, HOSTILE)])]
    for text in map(html, shown):
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert "\u202e" not in text
        assert "\x1b" not in text


def test_a_run_shows_its_table_and_its_plots(tmp_path):
    run = Run.load(make(tmp_path / "run", blocks=3, rename=lambda text: f"{text} {HOSTILE}"))
    text = run._repr_html_()
    assert text.count("<figure>") == len(run.figures) > 0
    assert "<script" not in text
    assert "report.html" in text
    name, figure = next(iter(run.figures.items()))
    assert figure.name == name
    assert figure._repr_html_().count("<svg") == 1


def test_the_svg_of_a_timeline_is_well_formed():
    [svg] = re.findall(r"<svg.*</svg>", html(result().timeline), re.DOTALL)
    assert xml.dom.minidom.parseString(svg).documentElement.getAttribute("aria-label") == "clone 2 ms; ready 1 ms"


def test_a_timeline_that_is_not_ready_is_shown_in_words():
    assert "start" in html(timeline(("start", 0), ("clone", 5)))


def test_a_host_is_shown(home):
    with lab_with(home, FakePlugin()) as lab:
        assert lab.host.kernel.release in bundle.bundle(lab.host)["text/html"]


def test_what_is_not_ours_is_left_to_its_repr():
    assert bundle.bundle(object()) is None


def test_without_the_extra_there_is_the_repr(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert result()._repr_mimebundle_() == {}
    assert "exit status 0" in repr(result())


def test_frames_are_tidy():
    frame = result().frame()
    assert list(frame.columns) == ["variant", "phase", "start_ns", "ns"]
    assert frame["ns"].sum() == 3_000_000
    assert list(frame["start_ns"]) == [0, 2_000_000]
    assert result(timeline=timeline(("start", 0))).frame().empty


def test_output_is_told_apart_and_together():
    both = result()
    assert (both.stdout, both.stderr, both.output) == ("hello\n", "\ufffd\n", "hello\n\ufffd\n")


def test_a_plan_prints_one_line_for_each_step():
    plan = Plan([Step("clone", "clone3"), Step("rootfs", "a\nb")])
    assert str(plan) == "clone   clone3\nrootfs  a\n        b"


def test_errors_are_two_lines_in_a_notebook():
    assert InputError("no", hint="yes")._render_traceback_() == ["error: no", "hint: yes"]
    assert Interrupted(2)._render_traceback_() == ["stopped by SIGINT"]


def test_plots_of_ones_own_look_like_the_reports():
    import matplotlib as mpl

    with mpl.rc_context(plot_style()):
        first, second = list(mpl.rcParams["axes.prop_cycle"])[:2]
    assert first["color"] != second["color"]
    assert first["marker"] != second["marker"]


@pytest.mark.parametrize("quiet", [True, False])
def test_in_a_notebook_a_comparison_shows_how_far_it_is(quiet, monkeypatch):
    from isoscope.benchmarks.harness import display

    monkeypatch.setattr(display, "in_notebook", lambda: not quiet)
    told = []
    monkeypatch.setattr("IPython.display.DisplayHandle.display", lambda _, data, raw: told.append(data))
    monkeypatch.setattr("IPython.display.DisplayHandle.update", lambda _, data, raw: told.append(data))
    with display.unless_told(None) as progress:
        progress({"event": "begin", "trials": 2, "made": 0, "at_most": False, "directory": "x"})
        progress({"event": "note", "text": "it is hot"})
        progress({"event": "made", "status": "ok"})
    if quiet:
        assert told == []
    else:
        assert told[-1] == {"text/plain": "note: it is hot\n1 trials made"}


def test_whoever_wants_to_be_told_is_told():
    from isoscope.benchmarks.harness.display import unless_told

    told = []
    with unless_told(told.append) as progress:
        progress({"event": "summary"})
    assert told == [{"event": "summary"}]
