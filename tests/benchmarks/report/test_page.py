"""The page's order and words, on a run of every shape."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.report import html, section
from isoscope.benchmarks.startup.benchmark import Startup

from .fake_run import make, shapes


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


@pytest.fixture(scope="module")
def page(whole_run: Path) -> str:
    return html.write(whole_run).read_text()


def test_verdict_then_headline_then_contents_then_sections(page: str) -> None:
    places = [
        page.index(part)
        for part in (
            "Accelerator: TCG",
            "<caption>",
            "<nav",
            'id="benchmark-1"',
            'id="failures"',
            'id="fairness"',
            'id="metrics"',
            'id="harness"',
            'id="host"',
            'id="repeat"',
        )
    ]
    assert places == sorted(places)
    for number, shape in enumerate(shapes(), 1):
        assert f'<section id="benchmark-{number}" class="benchmark">\n<h2>{shape.name}</h2>' in page


def test_a_section_says_what_was_run_and_under_which_options(page: str) -> None:
    text = text_of(page)
    assert (
        "Time until a workload is ready, by phases, and until all of it is gone again. Workload hello, image base."
        in text
    )
    assert "Workload hello, image base; size 64M, runtime 2." in text
    assert "the benchmark is not installed here, so its cautions and its plots are missing" in text


def test_a_long_table_is_folded_and_the_raw_figures_are(page: str) -> None:
    assert "<summary>calls.time as a table</summary>" in page
    assert "<summary>startup.ready as a table</summary>" not in page
    for shape in shapes():
        assert f"<summary>Raw figures of {shape.name}</summary>" in page


def test_a_table_of_dimensions_has_each_value_once_and_its_variants_below(page: str) -> None:
    table = page[page.index('aria-label="Table: wire.latency"') :]
    table = text_of(table[: table.index("</table>")])
    assert re.search(r"path variant p50", table)
    assert table.count("host-to-instance") == 1
    assert re.search(r"host-to-instance container [\d.]+ µs .* vm \(tcg\) [\d.]+ µs .* ▼ slower", table)
    assert "no value: backend 'process' lacks what 'wire' needs: network bridge" in table


def test_failures_come_before_what_is_unavailable(page: str) -> None:
    text = text_of(page[page.index('id="failures"') :])
    assert text.index("store on vm failed in 10 trials and 1 warm-up") < text.index("wire on process unavailable in")
    assert "gvisor was not run: there is no runsc. apt install runsc" in text


def test_few_blocks_have_no_columns_of_intervals(tmp_path: Path) -> None:
    text = text_of(html.write(make(tmp_path / "run", blocks=3, shapes=shapes()[:1])).read_text())
    assert "No interval: 3 blocks: an interval needs at least 9." in text
    assert "95 % interval shown" not in text
    assert "The p50 of every benchmark, and how many times the baseline's it is." in text


def test_a_defect_of_a_benchmark_costs_its_own_part_and_not_the_report(
    whole_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Startup, run: Run) -> list[str]:
        raise ZeroDivisionError("of <b>no</b> use")

    monkeypatch.setattr(Startup, "figures", broken)
    monkeypatch.setattr(Startup, "cautions", broken)
    made = section.sections(Run.load(whole_run))[0]
    assert made.figures == ()
    assert made.cautions == (
        "the cautions of this benchmark could not be made: ZeroDivisionError: of <b>no</b> use",
        "the plots of this benchmark could not be made: ZeroDivisionError: of <b>no</b> use",
    )


def test_what_a_benchmark_cautions_of_stands_in_its_section(whole_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Startup, "cautions", lambda self, run: ["Use `fsync` & beware of <script>."])
    run = Run.load(whole_run)
    page = html.render(run, section.sections(run))
    assert "<li>Use <code>fsync</code> &amp; beware of &lt;script&gt;.</li>" in page


def test_drift_precision_and_noise_floor_stand_in_the_first_lines(whole_run: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "environment.json", "trials.jsonl"):
        (tmp_path / name).write_bytes((whole_run / name).read_bytes())
    environment = json.loads((tmp_path / "environment.json").read_text())
    environment |= {"selftest": [], "ended": {"why": "budget", "sentence": "ended after 10 of at most 20 blocks"}}
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    page = html.write(tmp_path).read_text()
    first = text_of(page[: page.index("<caption>")])
    assert "The run ended after 10 of at most 20 blocks." in first
    assert "Noise floor: no selftest was made on this host" in first


def test_the_command_writes_the_form_that_was_asked_for(
    command: Callable[..., subprocess.CompletedProcess[str]], whole_run: Path
) -> None:
    done = command("report", whole_run, "--format", "md")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"report: {whole_run}/report.md"
    done = command("report", whole_run, "--format", "pdf")
    assert done.returncode == 2
    assert "there are: html, md" in done.stderr
