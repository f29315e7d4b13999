"""The report of a run, also in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.report import html
from isoscope.benchmarks.report.figure import INK, canvas, clean, figure
from isoscope.benchmarks.report.page import command
from isoscope.core import Workload

Compare = Callable[..., Run]

HOSTILE = "<script>alert('$x$')</script>"


@pytest.fixture
def hostile(compare: Compare) -> Run:
    """A run whose every name is untrusted, with failures and an unavailable benchmark."""
    workload = Workload(name=HOSTILE, command=("flaky", HOSTILE, "\x1b[31m"), environment={"<b>": "</style>&"})
    return compare(workload, blocks=3, benchmarks=("startup", "steps"))


def page(run: Run) -> str:
    return (run.directory / "report.html").read_text()


class Outline(HTMLParser):
    """What a page refers to, and the names of its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_first_lines_say_accelerator_and_clock(compare: Compare) -> None:
    text = page(compare())
    body = text[text.index("<body>") :]
    first = re.findall(r"<p class=\"verdict[^>]*>([^<]*)</p>", body)
    assert first[0].startswith("Accelerator: TCG")
    assert "not KVM&#39;s" in first[0]
    assert body.index("Accelerator: TCG") < body.index("Clock: CLOCK_MONOTONIC") < body.index("<table")


def test_a_run_without_a_virtual_machine_says_so(compare: Compare) -> None:
    text = page(compare(backends=("process", "container")))
    assert "no virtual machine was measured" in text
    assert "TCG" not in text


def test_kvm_is_named_and_not_warned_of(compare: Compare) -> None:
    run = compare()
    trials = run.directory / "trials.jsonl"
    trials.write_text(trials.read_text().replace('"tcg"', '"kvm"'))
    html.write(run.directory)
    assert "Accelerator: KVM for vm." in page(run)
    assert "TCG" not in page(run)


def test_untrusted_names_are_text_and_nothing_else(hostile: Run) -> None:
    outline = Outline(page(hostile))
    assert not [tag for tag, _ in outline.tags if tag == "script"]
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]
    assert HOSTILE in "".join(outline.words)
    assert "\x1b" not in page(hostile)


def test_the_page_needs_nothing_but_itself(hostile: Run) -> None:
    text = page(hostile)
    for _, attributes in Outline(text).tags:
        for name in ("src", "href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), attributes
    styles = re.sub(r"<(title|pre|td|dd)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"@import|url\((?!#)", styles)


def test_no_path_and_nothing_that_names_the_machine_is_published(compare: Compare, tmp_path: Path, home: Path) -> None:
    text = page(compare())
    for name in (str(tmp_path), str(home), Path("/proc/sys/kernel/random/boot_id").read_text().strip()):
        assert name not in text
    assert not re.search(r"\b\d+\.\d+\.\d+\.\d+\b", text)


def test_every_plot_has_a_text_alternative_and_a_file(compare: Compare) -> None:
    run = compare()
    plots = [attributes for tag, attributes in Outline(page(run)).tags if tag == "svg"]
    assert len(plots) == 3
    for attributes in plots:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"] or "") > 40
    files = sorted((run.directory / "plots").iterdir())
    assert [path.name for path in files] == [
        "startup-phases.svg",
        "startup-ready-ecdf.svg",
        "startup-total-ecdf.svg",
    ]
    for path in files:
        root = ET.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("aria-label")


def test_plots_take_the_pages_colour_and_have_ids_of_their_own(compare: Compare) -> None:
    text = page(compare())
    plots = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "currentColor" in plots
    assert not re.search(rf"#000000|{INK}", plots)  # neither matplotlib's black nor what stands for the page's ink
    ids = re.findall(r'\bid="([^"]+)"', plots)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:url\(#|xlink:href="#)([^")]+)', plots):
        assert reference in ids


def test_the_same_trials_give_the_same_bytes(compare: Compare) -> None:
    run = compare()
    before = {path: path.read_bytes() for path in (run.directory / "plots").iterdir()}
    first = page(run)
    (run.directory / "report.html").unlink()
    html.write(run.directory)
    assert page(run) == first
    assert {path: path.read_bytes() for path in before} == before


def test_a_name_that_a_plot_cannot_hold_is_shown_all_the_same() -> None:
    with canvas(2, 2) as drawn:
        drawn.subplots().set_title(clean("a $x_$ <b> \x00\x1b & \N{SNOWMAN}"))
        made = figure(drawn, name="n", title="t", alternative='"quoted" <alt>', caption="c")
    root = ET.fromstring(made.svg)
    assert root.get("aria-label") == '"quoted" <alt>'
    assert "a $x_$ <b> \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER} & \N{SNOWMAN}" in "".join(root.itertext())


def test_failures_and_what_was_not_run_are_told_with_their_reasons(
    hostile: Run, compare: Compare, tmp_path: Path
) -> None:
    text = " ".join(Outline(page(hostile)).words)
    assert "no luck this time (try again)" in text
    assert "backend 'process' lacks what 'steps' needs: exec" in text
    other = compare(backends=(), blocks=1, directory=tmp_path / "other")
    assert "was not run: there is no such program. apt install such" in " ".join(Outline(page(other)).words)


def test_what_differs_between_the_variants_is_told(compare: Compare) -> None:
    run = compare(backends=("process", "vm:memory=64M,mode=b"))
    text = re.sub(r"\s+", " ", " ".join(Outline(page(run)).words))
    assert re.search(r"memory\s+no limit\s+64 MiB", text)
    assert re.search(r"option mode\s+–\s+b", text)
    assert re.search(r"accelerator\s+–\s+tcg", text)
    assert "kernel – 6.1" not in text  # the same for both


def test_the_command_repeats_the_run(compare: Compare) -> None:
    run = compare("hello", seed=99)
    line = "isoscope compare hello -b process -b container -b vm -m startup:at-once=1,beside=0,cold=no -n 2 --seed 99"
    assert command(run.terms) == line
    assert line in " ".join(Outline(page(run)).words)


def test_an_incomplete_run_says_so(compare: Compare) -> None:
    run = compare()
    trials = run.directory / "trials.jsonl"
    trials.write_text("".join(trials.read_text().splitlines(keepends=True)[:-3]))
    html.write(run.directory)
    assert "stopped before its end" in page(run)
    assert "stopped before its end" not in page(compare(directory=run.directory, resume=True))


def test_the_host_is_described_as_far_as_it_bears_on_the_figures(compare: Compare) -> None:
    run = compare()
    path = run.directory / "environment.json"
    data = json.loads(path.read_text())
    data["before"]["cpu_ticks"] = {"total": 1000, "idle": 0, "steal": 0}
    data["after"]["cpu_ticks"] = {"total": 3000, "idle": 0, "steal": 50}
    data["cpu"]["governor"] = ["performance", "powersave"]
    data["cpu"]["turbo"] = None
    path.write_text(json.dumps(data))
    html.write(run.directory)
    text = re.sub(r"\s+", " ", " ".join(Outline(page(run)).words))
    assert "CPU time taken away by the hypervisor 2.50%" in text
    assert "frequency governor performance, powersave" in text
    assert "turbo not exposed" in text
    assert data["host"]["cpu"]["model"] in text
    path.unlink()
    html.write(run.directory)
    assert "frequency governor" not in page(run)


def test_notes_reach_the_reader(compare: Compare) -> None:
    run = compare()
    path = run.directory / "environment.json"
    data = json.loads(path.read_text())
    data["notes"] = ["the host is <busy>"]
    path.write_text(json.dumps(data))
    html.write(run.directory)
    assert "Note: the host is &lt;busy&gt;." in page(run)


def test_proofs_are_told_without_what_each_instance_has_for_itself() -> None:
    from isoscope.benchmarks.report.fairness import _told

    hosts = frozenset({"mnt:[1]", "net:[2]", "user:[3]"})
    assert _told("namespaces", "mnt:[7] net:[8] user:[3]", hosts) == "own: mnt net; the host's: user"
    assert _told("namespaces", "mnt:[1] net:[2] user:[3]", hosts) == "the host's: mnt net user"
    lines = "9:name=systemd:/\n4:memory:/isoscope/isoscope-0123456789ab\n0::/isoscope/isoscope-0123456789ab"
    told = "memory in /isoscope/isoscope-ID; v2 in /isoscope/isoscope-ID"
    assert _told("cgroup", lines, hosts) == told
    assert _told("kernel", "6.1", hosts) == "6.1"
