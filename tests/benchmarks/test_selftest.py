"""The selftest: real comparisons of equals, on backends that pretend, and the counts behind the verdict."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks import selftest as command_module
from isoscope.benchmarks.harness import environment
from isoscope.benchmarks.harness import selftest as harness
from isoscope.benchmarks.harness.selftest import Selftest, names, selftest, usual
from isoscope.benchmarks.results import aa, noise
from isoscope.benchmarks.startup import benchmark as startup
from isoscope.core import Lab
from isoscope.core.errors import InputError
from isoscope.core.variant import Variant

Command = Callable[..., subprocess.CompletedProcess[str]]


def asked(*variants: str, **more: Any) -> Selftest:
    terms: dict[str, Any] = {"benchmark": "startup", "blocks": 9, "budget": 3600.0, "seed": 3}
    return Selftest(variants=names(variants), **{**terms, **more})


def quiet(_: Any) -> None:
    pass


@pytest.fixture(autouse=True)
def two_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many whatever the time that they take."""
    monkeypatch.setattr(harness, "MOST_COMPARISONS", 2)


@pytest.fixture
def results(fake_lab: Lab) -> list[aa.Result]:
    found, failed = selftest(fake_lab, asked("process", "vm"), quiet)
    assert failed == 0
    return found


def test_each_headline_of_each_variant_is_compared_with_itself(results: list[aa.Result]) -> None:
    assert [(one.variant, one.metric, one.accelerator) for one in results] == [
        ("process", "startup.ready", ""),
        ("process", "startup.total", ""),
        ("vm", "startup.ready", "tcg"),
        ("vm", "startup.total", "tcg"),
    ]
    for one in results:
        assert one.comparisons == 2
        assert one.permutation is not None
        assert one.interval is not None
        assert one.permutation.low <= one.permutation.rate <= one.permutation.high
        assert one.half_width is not None
        assert one.greatest is not None
        assert one.greatest >= 0


def test_results_are_kept_for_later_runs_of_the_same_host(
    fake_lab: Lab, home: Path, results: list[aa.Result], compare: Callable[..., Run]
) -> None:
    assert {path.name for path in home.iterdir()} & {"selftest", "selftest.json"} == {"selftest.json"}  # no trials
    run = compare(blocks=1)
    assert len(run.environment["selftest"]) == 4
    assert [one["variant"] for one in run.results.noise_floor] == ["process", "process", "vm", "vm"]
    told = [text for text in run.results.remarks if text.startswith("Noise floor on this host: in ")]
    assert len(told) == 4
    assert f"in {results[0].comparisons} comparisons of process with itself (9 blocks each, " in told[0]
    stored = json.loads((home / noise.FILE).read_text())
    for one in stored["results"]:
        one["host"]["kernel"] = "another"
    (home / noise.FILE).write_text(json.dumps(stored))
    assert noise.load(home, environment.identity(fake_lab)) == []


def test_a_later_selftest_replaces_its_own_series_alone(fake_lab: Lab, home: Path, results: list[aa.Result]) -> None:
    before = noise.load(home, environment.identity(fake_lab))
    newer = [{**one, "at": "2099-01-01T00:00:00Z"} for one in before if one["variant"] == "vm"]
    noise.store(home, newer)
    now = noise.load(home, environment.identity(fake_lab))
    assert [(one["variant"], one["at"][:4] == "2099") for one in now] == [
        ("process", False),
        ("process", False),
        ("vm", True),
        ("vm", True),
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 2, "results": []}', '{"schema": 1, "results": [{}, 5]}'])
def test_a_file_that_cannot_be_read_is_no_selftest(compare: Callable[..., Run], home: Path, text: str) -> None:
    (home / noise.FILE).write_text(text)
    run = compare(blocks=1, backends=("process",))
    assert run.environment["selftest"] == []
    assert run.results.remarks == ("Noise floor: no selftest was made on this host (isoscope selftest).",)


def test_a_selftest_of_other_backends_says_nothing(results: list[aa.Result], compare: Callable[..., Run]) -> None:
    run = compare(blocks=1, backends=("container",))
    assert run.results.noise_floor == ()
    assert "no selftest of these benchmarks and backends was made" in run.results.remarks[-1]


def test_comparisons_share_no_block(results: list[aa.Result], fake_lab: Lab, tmp_path: Path, monkeypatch: Any) -> None:
    """Of 29 blocks of which one failed, three comparisons of nine can be cut."""
    seen: list[list[float]] = []
    real = aa._compare

    def watched(ours: Any, theirs: Any, seed: Any) -> Any:
        seen.append([*ours.tolist(), *theirs.tolist()])
        return real(ours, theirs, seed)

    monkeypatch.setattr(aa, "_compare", watched)
    run = _run_of_twins(fake_lab, tmp_path, blocks=29)
    rows = [json.loads(line) for line in (run.directory / "trials.jsonl").read_text().splitlines()]
    for place, row in enumerate(rows):
        row["value"] = None if row["status"] != "ok" else 1000 + place
        if row["block"] == 4 and row["variant"] == "process":
            row |= {"value": None, "status": "failed", "reason": "no luck"}
    (run.directory / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = Run.load(run.directory)
    [ready, _] = aa.results(again, again.terms.subjects[0], 9)
    assert ready.comparisons == 3
    values = [value for group in seen[:3] for value in group]
    assert len(values) == len(set(values)) == 3 * 9 * 2


def test_a_difference_between_equals_is_seen(fake_lab: Lab, tmp_path: Path) -> None:
    """An instrument that always finds the second label slower fails its selftest."""
    run = _run_of_twins(fake_lab, tmp_path, blocks=40)
    rows = [json.loads(line) for line in (run.directory / "trials.jsonl").read_text().splitlines()]
    for row in rows:
        if row["variant"] == "process (again)" and row["value"] is not None:
            row["value"] *= 10**6
    (run.directory / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = Run.load(run.directory)
    found = list(aa.results(again, again.terms.subjects[0], 10))
    assert [one.permutation and one.permutation.alarms for one in found] == [4, 4]
    assert [one.interval and one.interval.alarms for one in found] == [4, 4]
    assert aa.failing(found) == found


def _run_of_twins(lab: Lab, tmp_path: Path, blocks: int) -> Run:
    """A run as a selftest makes it, kept."""
    from isoscope.benchmarks.harness.agree import agree
    from isoscope.benchmarks.harness.compare import begin
    from isoscope.core.comparison import Comparison

    comparison = Comparison(None, (Variant("process"),), ("startup",), blocks, 3, False, tmp_path / "twins")
    terms, benchmarks = agree(lab, comparison, quiet)
    twins = {"process (again)": "process"}
    terms = replace(terms, variants=("process", "process (again)"), twins=twins)
    assert begin(lab, comparison.directory, terms, benchmarks, quiet) is None
    run = Run.load(comparison.directory)
    assert set(run.trials["backend"]) == {"process", "null"}
    return run


def test_a_few_alarms_are_no_failure() -> None:
    def result(alarms: int, comparisons: int) -> aa.Result:
        rate = aa._rate([True] * alarms + [False] * (comparisons - alarms), aa.STATED)
        return aa.Result("startup", "startup.ready", "vm", "vm", "", {}, 10, comparisons, rate, None, 0.1, 0.2)

    assert aa.failing([result(20, 400)]) == []
    assert aa.failing([result(27, 400)]) == []
    assert len(aa.failing([result(40, 400)])) == 1
    assert aa.failing([result(1, 1)]) == []
    # with many series one of them is odd by chance: 31 of 400 fails alone, and not among twenty
    assert len(aa.failing([result(31, 400)])) == 1
    assert aa.failing([result(31, 400)] + [result(20, 400)] * 19) == []


def test_a_rate_has_clopper_and_pearsons_interval() -> None:
    rate = aa._rate([True] * 5 + [False] * 95, aa.STATED)
    assert rate is not None
    assert (rate.low, rate.high) == (pytest.approx(0.01643, abs=1e-4), pytest.approx(0.11284, abs=1e-4))


def test_the_usual_variants_are_those_that_are_quick(fake_lab: Lab) -> None:
    assert [str(variant) for variant in usual(fake_lab)] == ["process", "container"]


def test_too_few_blocks_and_twins_of_twins_are_refused(fake_lab: Lab, home: Path) -> None:
    with pytest.raises(InputError, match="8 blocks"):
        selftest(fake_lab, asked("process", blocks=8), quiet)
    with pytest.raises(InputError, match="twice"):
        names(("vm", "vm"))
    assert not (home / "selftest").exists()


def test_what_a_killed_selftest_left_goes_and_a_running_one_is_left_alone(fake_lab: Lab, home: Path) -> None:
    (home / "selftest/0").mkdir(parents=True)
    (home / "selftest/0/trials.jsonl").write_text("torn")

    def again(event: dict[str, Any]) -> None:
        if event["event"] == "begin":
            with pytest.raises(InputError, match="another selftest runs"):
                selftest(fake_lab, asked("vm"), quiet)

    selftest(fake_lab, asked("process"), again)
    assert not (home / "selftest").exists()


def test_rates_and_floor_are_printed(results: list[aa.Result], capsys: pytest.CaptureFixture[str]) -> None:
    results = [one for one in results if one.variant == "process"]
    few = replace(results[0], permutation=aa._rate([False] * 40 + [True], aa.STATED), comparisons=41, greatest=0.123)
    status = command_module._show([few, results[1]], 0, as_json=False)
    header, ready, total, *last = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["VARIANT", "METRIC", "COMPARISONS"]
    assert ready.split()[:5] == ["process", "startup.ready", "41", "2.4%", "[0.1%,"]
    assert ready.endswith("12.3%")
    assert total.split()[:2] == ["process", "startup.total"]
    assert (status, len(last)) == (0, 1)


@pytest.mark.parametrize(("failed", "words"), [(3, "3 trial(s) failed"), (0, "more differences than stated")])
def test_what_went_wrong_makes_status_1(
    results: list[aa.Result], capsys: pytest.CaptureFixture[str], failed: int, words: str
) -> None:
    rate = aa._rate([not failed] * 40, aa.STATED)
    assert command_module._show([replace(results[0], permutation=rate, interval=None)], failed, as_json=False) == 1
    assert words in capsys.readouterr().out


def test_a_budget_for_not_one_comparison_is_told(command: Command, home: Path) -> None:
    done = command("selftest", "-b", "vm", "--budget", "0.001s", "--json")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["passed"] is False
    assert {one["comparisons"] for one in data["results"]} == {0}
    assert not json.loads((home / noise.FILE).read_text())["results"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-b", "nonesuch"), "there is no backend 'nonesuch'"),
        (("-m", "nonesuch"), "there is no benchmark 'nonesuch'"),
        (("--blocks", "3"), "3 blocks have no interval"),
        (("--budget", "soon"), "'soon' is not a span of time"),
        (("-b", "vm", "-b", "vm"), "stands twice"),
    ],
)
def test_a_wrong_request_is_told_in_two_lines(command: Command, arguments: tuple[str, ...], message: str) -> None:
    done = command("selftest", *arguments)
    assert done.returncode == 2
    [error, hint] = done.stderr.splitlines()[-2:]
    assert message in error
    assert hint.startswith("hint: ")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup.Startup, "figures", lambda *_: [])
