"""Comparisons from Python, on backends that pretend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.harness import harness
from isoscope.benchmarks.harness.interrupts import Interrupted, Interrupts
from isoscope.benchmarks.metrics import METRICS
from isoscope.benchmarks.results.trials import FIELDS
from isoscope.benchmarks.startup import benchmark as startup
from isoscope.core import Lab, Workload
from isoscope.core.errors import BackendUnavailable, HostError, InputError, NotFound, Unsupported

from .conftest import environment

Compare = Callable[..., Run]


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than all else here, and is tested with the report."""
    monkeypatch.setattr(startup.Startup, "figures", lambda *_: [])


def rows_of(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.directory / "trials.jsonl").read_text().splitlines()]


def test_phases_add_up_to_ready_in_every_trial(compare: Compare) -> None:
    frame = compare().trials
    phases = frame[frame["metric"].str.startswith("phase.")].groupby("trial")["value"].sum()
    ready = frame[frame["metric"] == "startup.ready"].set_index("trial")["value"]
    assert len(phases) == 3 * 4  # of the warm-up, too
    assert (phases == ready[phases.index]).all()


def test_the_harness_itself_is_measured_beside_every_block(compare: Compare) -> None:
    run = compare()
    null = run.trials[(run.trials["variant"] == "null") & ~run.trials["warmup"]]
    assert set(null["block"]) == {1, 2}
    assert set(null["metric"]) >= {"startup.ready", "startup.total", "harness.trial"}
    assert all(one.role == "harness" for one in run.results.series if one.variant == "null")
    assert "null" not in {one.variant for one in run.results.of("startup", role="headline")}


def test_whoever_asks_for_the_null_backend_sees_it(compare: Compare) -> None:
    run = compare(backends=("null", "process"))
    assert run.trials.drop_duplicates("trial")["variant"].value_counts().to_dict() == {"null": 3, "process": 3}
    ready = run.results.of("startup", "startup.ready", "headline")
    assert [one.variant for one in ready] == ["process", "null"]
    assert ready[1].ratio.value < 1


def test_every_block_has_every_variant_and_the_seeds_order(compare: Compare) -> None:
    run = compare(blocks=4)
    ends = run.trials[run.trials["metric"] == "harness.trial"]
    made = list(zip(ends["trial"], ends["block"], ends["variant"], ends["warmup"], strict=True))
    assert made == [(cell.trial, cell.block, cell.variant, cell.warmup) for cell in run.terms.cells()]
    assert list(ends["order"]) == list(range(4 * 5))


def test_the_same_seed_gives_the_same_order_and_another_gives_another(compare: Compare, tmp_path: Path) -> None:
    def order(seed: int) -> list[str]:
        run = compare(seed=seed, blocks=5, directory=tmp_path / f"{len(list(tmp_path.iterdir()))}")
        return list(run.trials.drop_duplicates("trial")["variant"])

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_warm_ups_are_kept_and_kept_apart(compare: Compare) -> None:
    run = compare()
    frame = run.trials
    assert set(frame[frame["warmup"]]["block"]) == {0}
    assert set(frame[~frame["warmup"]]["block"]) == {1, 2}
    slow = rows_of(run)
    for row in slow:
        if row["warmup"] and row["value"] is not None:
            row["value"] = 10**15
    (run.directory / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in slow))
    again = Run.load(run.directory)
    assert again.summary["greatest"].max() < 10**15
    assert set(again.summary["blocks"]) == {2}


def test_what_instances_proved_to_be_stands_with_every_value(compare: Compare) -> None:
    run = compare()
    of_vm = [row["labels"] for row in rows_of(run) if row["variant"] == "vm" and row["metric"] != "harness.trial"]
    assert of_vm == [{"kernel": "6.1-fake", "accelerator": "tcg"}] * len(of_vm)
    assert run.results.proofs["vm"] == {"kernel": ["6.1-fake"], "accelerator": ["tcg"]}


def test_a_failure_is_a_row_and_the_comparison_goes_on(compare: Compare) -> None:
    run = compare(Workload(command=("flaky",)), blocks=6, backends=("process", "vm"))
    frame = run.trials
    bad = frame[(frame["status"] == "failed") & (frame["variant"] == "vm")]
    assert set(bad["trial"]) == {
        cell.trial for cell in run.terms.cells() if cell.variant == "vm" and cell.block % 3 == 2
    }
    assert set(bad["metric"]) == {"startup.ready", "startup.total", "harness.trial"}
    assert set(bad["reason"]) == {"no luck this time (try again)"}
    assert bad["value"].isna().all()
    assert run.failed
    assert run.complete
    [series] = [one for one in run.results.of("startup", "startup.ready", "headline") if one.variant == "vm"]
    assert (series.blocks, series.failed) == (4, 2)
    assert {(one.variant, one.measured, one.warmups) for one in run.results.failures} == {
        ("process", 2, 0),
        ("vm", 2, 0),
    }


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("missing",), "command 'missing' does not exist"),
        (("exit", "3"), "ended with status 3"),
        (("crash",), "ZeroDivisionError: a defect of the backend"),
    ],
)
def test_a_value_that_is_missing_is_null_and_never_zero(compare: Compare, words: tuple[str, ...], reason: str) -> None:
    run = compare(Workload(command=words), backends=("process",), blocks=1)
    rows = [row for row in rows_of(run) if row["variant"] == "process"]
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["value"] for row in rows} == {None}
    assert all(reason in row["reason"] for row in rows)
    [ready, total] = run.results.of("startup", role="headline")
    for series in (ready, total):
        assert series.p50 is None
        assert series.mean is None
        assert reason in series.reason
    assert json.loads((run.directory / "summary.json").read_text())["series"][0]["p50"] is None


def test_an_instance_that_is_never_ready_fails_its_trial_alone(
    compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harness, "TIMEOUT", 0.05)
    run = compare(Workload(command=("hang",)), backends=("process",), blocks=1)
    [failure] = run.results.failures  # one reason for both trials, though their instances had different names
    assert failure.reason == "the instance was not ready within 0.05 s: it is in phase ready"
    assert (failure.measured, failure.warmups) == (1, 1)


def test_a_workload_that_stays_is_ready_but_has_no_total(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "LINGER", 0.05)
    run = compare(Workload(command=("stay",)), backends=("process",), blocks=1)
    found = {row["metric"]: row for row in rows_of(run) if row["variant"] == "process" and not row["warmup"]}
    assert found["startup.ready"]["status"] == "ok"
    assert found["startup.total"] | {"labels": {}} == found["startup.total"] | {
        "value": None,
        "status": "unavailable",
        "reason": "the workload did not end by itself within 0.05 s",
        "labels": {},
    }
    assert not run.failed


def test_what_a_backend_cannot_do_is_unavailable_with_a_reason(compare: Compare) -> None:
    run = compare(benchmarks=("steps",))
    rows = [row for row in rows_of(run) if row["variant"] == "vm" and not row["warmup"]]
    assert {(row["status"], row["value"]) for row in rows} == {("unavailable", None)}
    assert rows[0]["reason"] == "backend 'vm' lacks what 'steps' needs: exec"
    assert not run.failed
    assert not any(row["variant"] == "null" for row in rows_of(run))  # nobody asked for it


def test_a_workload_that_a_variant_cannot_take_is_unavailable(compare: Compare) -> None:
    run = compare(Workload(command=("echo",), network="bridge"), backends=("process",), blocks=1)
    assert {(one.status, one.variant) for one in run.results.failures} == {("unavailable", "process")}


def test_a_strangers_benchmark_has_its_series_and_its_baseline(compare: Compare) -> None:
    run = compare(benchmarks=("steps", "startup"))
    rates = run.results.of("steps", role="headline")
    assert [(one.variant, one.labels, one.p50) for one in rates] == [
        ("container", {"size": 1}, 101.5),
        ("container", {"size": 2}, 201.5),
        ("process", {}, None),
        ("vm", {}, None),
    ]
    assert run.results.baselines == {"steps": "container", "startup": "process"}


def test_details_are_compared_under_each_dimension_and_phases_are_not(compare: Compare) -> None:
    run = compare(benchmarks=("steps",), backends=("container",), blocks=9)
    manifest = json.loads((run.directory / "manifest.json").read_text())
    [about] = manifest["benchmarks"]
    about["details"], about["headline"] = about["headline"], []
    manifest |= {"variants": ["process", "container"], "baseline": "process"}
    (run.directory / "manifest.json").write_text(json.dumps(manifest))
    rows = [row for row in rows_of(run) if row["metric"] == "steps.rate"]
    rows += [{**row, "metric": "phase.exec"} for row in rows]
    rows += [{**row, "variant": "process", "trial": 100 + row["trial"], "value": row["value"] / 2} for row in rows]
    (run.directory / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = Run.load(run.directory).results.of("steps", role="detail")
    ratios = {(one.metric.name, one.labels["size"]): one.ratio for one in found if one.variant == "container"}
    assert [ratios["steps.rate", size].value for size in (1, 2)] == [2, 2]
    assert [ratios["steps.rate", size].interval.low for size in (1, 2)] == [2, 2]
    assert {ratios["phase.exec", size] for size in (1, 2)} == {None}


def test_kvm_and_tcg_never_stand_in_one_series(compare: Compare) -> None:
    run = compare(blocks=4)
    rows = rows_of(run)
    for row in rows:
        if row["variant"] == "vm" and row["block"] > 2:
            row["labels"]["accelerator"] = "kvm"
    (run.directory / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = Run.load(run.directory).results.of("startup", "startup.ready", "headline")
    assert [(one.variant, one.accelerator, one.blocks) for one in found if one.variant == "vm"] == [
        ("vm", "tcg", 2),
        ("vm", "kvm", 2),
    ]


def test_the_baseline_is_the_process_or_else_the_first_variant(compare: Compare, tmp_path: Path) -> None:
    assert compare(backends=("vm", "process")).terms.baseline == "process"
    assert compare(backends=("vm", "container"), directory=tmp_path / "b").terms.baseline == "vm"


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        ({"backends": ("nonesuch",)}, NotFound, "nonesuch"),
        ({"backends": ("vm:mode=z",)}, InputError, "mode=z"),
        ({"backends": ("vm:nonesuch=1",)}, InputError, "nonesuch"),
        ({"backends": ("vm:memory=lots",)}, InputError, "lots"),
        ({"backends": ("vm:cpus=1",)}, Unsupported, "cpus"),
        ({"backends": ("vm:network=vf",)}, Unsupported, "vf"),
        ({"backends": ("broken",)}, BackendUnavailable, "no such program"),
        ({"backends": ("vm", "vm")}, InputError, "twice"),
        ({"benchmarks": ("nonesuch",)}, NotFound, "nonesuch"),
        ({"benchmarks": ()}, InputError, "no benchmark"),
        ({"blocks": 0}, InputError, "blocks"),
        ({"workload": "nonesuch"}, NotFound, "nonesuch"),
    ],
)
def test_a_request_that_cannot_be_is_refused_before_anything_is_made(
    compare: Compare, tmp_path: Path, request_: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        compare(**request_)
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_named_and_cannot_run_is_told(compare: Compare, tmp_path: Path) -> None:
    run = compare(backends=(), blocks=1)
    assert run.terms.variants == ("container", "process", "vm")
    assert [(one.backend, one.reason, one.hint) for one in run.terms.not_run] == [
        ("broken", "there is no such program", "apt install such")
    ]
    assert compare(backends=("vm",), blocks=1, directory=tmp_path / "b").terms.not_run == ()


def test_a_variant_that_was_named_and_cannot_run_is_told_first_and_its_trials_are_rows(compare: Compare) -> None:
    events: list[dict[str, Any]] = []
    run = compare(backends=("broken", "container", "vm"), blocks=2, progress=events.append)
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert any("broken will not be run" in text and "apt install such" in text for text in notes)
    assert run.terms.baseline == "container", "not the one that cannot run"
    rows = run.trials[(run.trials["variant"] == "broken") & (run.trials["metric"] == "startup.ready")]
    assert list(rows["status"]) == ["unavailable"] * 3, "a row in the warm-up and in each block"
    assert rows["value"].isna().all()
    assert rows["reason"].str.contains("no such program").all()
    assert run.lacking == ["broken"]
    assert not run.failed


class Stop:
    """Progress that sends a signal to this process when a trial begins."""

    def __init__(self, at: int, number: int = signal.SIGINT) -> None:
        self.at, self.number = at, number

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "trial" and event["trial"] == self.at:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_and_keeps_what_is_done(compare: Compare, tmp_path: Path, number: int) -> None:
    with pytest.raises(Interrupted) as stopped:
        compare(blocks=5, progress=Stop(11, number))
    run = stopped.value.run
    assert stopped.value.signal_number == number
    assert sorted(set(run.trials["trial"])) == list(range(11))
    assert not run.complete
    assert (run.directory / "report.html").exists()
    again = compare(directory=run.directory, resume=True)
    assert again.complete
    made = again.trials.drop_duplicates("trial")
    assert list(made["trial"]) == [*range(11), *range(24, 28), *range(11, 24)]  # the new process was cold
    assert list(made["order"]) == list(range(28))
    assert set(made["variant"][11:15]) == {"process", "container", "vm", "null"}
    assert list(made["warmup"]) == [True] * 4 + [False] * 7 + [True] * 4 + [False] * 13
    assert again.results.blocks_made == 5
    assert len(again.environment["earlier"]) == 1


def test_a_run_stopped_before_its_first_trial_is_a_run_all_the_same(compare: Compare) -> None:
    with pytest.raises(Interrupted) as stopped:
        compare(progress=Stop(0))
    assert stopped.value.run.summary["p50"].isna().all()
    assert not compare(directory=stopped.value.run.directory, resume=True).failed


def test_a_signal_waits_while_an_instance_is_made_or_removed() -> None:
    reached = []
    with Interrupts() as interrupts:

        def shielded(signals: int) -> None:
            with interrupts.shield():
                for _ in range(signals):
                    os.kill(os.getpid(), signal.SIGINT)
                reached.append(signals)

        with pytest.raises(Interrupted):
            shielded(1)
        with pytest.raises(Interrupted):
            shielded(2)  # whoever insists is heard
    assert reached == [1]


def test_a_signal_while_an_instance_is_made_leaves_none(
    compare: Compare, fake_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = fake_lab.backend("vm")
    real = backend.create

    def create(launch: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return real(launch)

    monkeypatch.setattr(backend, "create", create)
    with pytest.raises(Interrupted):
        compare(backends=("vm",))
    assert list(fake_lab.registry) == []  # and the fixture looks for live instances


def test_signals_are_python_s_own_again_afterwards(compare: Compare) -> None:
    before = signal.getsignal(signal.SIGINT)
    compare(blocks=1)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_goes_on_only_on_the_host_and_the_image_it_was_begun_with(compare: Compare) -> None:
    run = compare(blocks=1)
    manifest = run.directory / "manifest.json"
    original = manifest.read_text()
    for path, value, words in (
        (("host", "kernel"), "2.6.18", "another host: kernel was 2.6.18"),
        (("host", "cpu"), "Z80", "another host: cpu was Z80"),
        (("versions", "isoscope"), "0.0.1", "begun by isoscope 0.0.1"),
        (("schema",), 99, "schema 99"),
        (("benchmarks", 0, "image"), "sha256:other", "has changed"),
        (("variants",), ["nonesuch"], "nonesuch"),
    ):
        data = json.loads(original)
        place = data
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        manifest.write_text(json.dumps(data))
        with pytest.raises(InputError, match=words):
            compare(directory=run.directory, resume=True)
    manifest.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        compare(directory=run.directory, resume=True)


def test_going_on_with_nothing_is_refused(compare: Compare, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        compare(directory=tmp_path / "nonesuch", resume=True)


def test_going_on_with_a_complete_run_only_writes_the_report_again(compare: Compare) -> None:
    run = compare()
    before = (run.directory / "trials.jsonl").read_bytes()
    (run.directory / "report.html").unlink()
    compare(directory=run.directory, resume=True)
    assert (run.directory / "trials.jsonl").read_bytes() == before
    assert (run.directory / "report.html").exists()


def test_a_full_disk_stops_the_run_with_the_way_on(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    real, count = os.write, iter(range(10**6))

    def write(fd: int, data: bytes) -> int:
        return real(fd, data if not data.startswith(b'{"schema"') or next(count) < 40 else data[:20])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(HostError) as full:
        compare(blocks=5)
    assert "--resume" in full.value.hint
    monkeypatch.undo()


def test_the_garbage_collector_rests_during_trials_only(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    import gc

    seen = []
    real = startup.Startup.measure

    def measure(self: Any, trial: Any) -> Any:
        seen.append(gc.isenabled())
        return real(self, trial)

    monkeypatch.setattr(startup.Startup, "measure", measure)
    compare(blocks=1)
    assert set(seen) == {False}
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_nothing_heavy_is_loaded_while_trials_are_made(home: Path, tmp_path: Path) -> None:
    code = f"""
import sys
from isoscope.core import Lab
heavy = {{"pandas", "numpy", "scipy", "matplotlib", "pyarrow", "jinja2"}}
def look(event):
    if event["event"] in ("trial", "made"):
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        print(event["event"])
with Lab() as lab:
    lab.compare(backends=["process"], blocks=1, directory={str(tmp_path / "run")!r}, progress=look)
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(home), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split().count("made") == 4


def test_every_row_has_the_fields_of_the_format(compare: Compare) -> None:
    run = compare(benchmarks=("startup", "steps"))
    for row in rows_of(run):
        assert tuple(row) == FIELDS
        assert (row["value"] is None) == (row["status"] != "ok") == isinstance(row["reason"], str)
        assert row["status"] in ("ok", "failed", "unavailable")
        assert row["unit"] in ("ns", "B", "B/s", "1/s", "1")
        assert row["unit"] != "ns" or row["value"] is None or isinstance(row["value"], int)
        assert all(isinstance(value, str | int | float | bool) for value in row["labels"].values())
        assert row["metric"] in METRICS or row["benchmark"] == "steps"
        assert row["image"].startswith("sha256:")
        assert row["started_at"].endswith("Z")
        assert row["schema"] == 1


def test_the_parquet_file_holds_what_the_trials_file_holds(compare: Compare) -> None:
    import pandas as pd

    run = compare(Workload(command=("flaky",)), blocks=3)
    table = pd.read_parquet(run.directory / "trials.parquet")
    assert list(table.columns) == list(FIELDS)
    for row, stored in zip(rows_of(run), table.to_dict("records"), strict=True):
        assert json.loads(stored["labels"]) == row["labels"]
        for field in FIELDS:
            if field not in ("labels", "value"):
                assert stored[field] == row[field] or (pd.isna(stored[field]) and row[field] is None)
        assert stored["value"] == row["value"] or (pd.isna(stored["value"]) and row["value"] is None)
