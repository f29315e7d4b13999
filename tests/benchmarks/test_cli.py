"""The commands in processes of their own, on backends that pretend."""

from __future__ import annotations

import json
import random
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from isoscope.benchmarks import Run
from isoscope.benchmarks.results.trials import lines
from isoscope.core.registry import Registry

from .conftest import environment, words

Command = Callable[..., subprocess.CompletedProcess[str]]

STAY = 'name = "<script>alert(1)</script>"\ncommand = ["exit", "0"]\n'


def test_a_comparison_ends_with_a_table_a_folder_and_status_0(command: Command, tmp_path: Path) -> None:
    done = command("compare", "--quick", "--seed", 5, "-o", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    table = done.stdout.splitlines()
    assert table[0] == "startup of hello, ratio to process (▲ better, ▼ worse, ≈ no difference shown)"
    assert table[1].split() == ["METRIC", "VARIANT", "N", "P50", "P90", "P99", "RATIO", "95", "%", "INTERVAL"]
    assert [line.split()[:3] for line in table[2:8:3]] == [["ready", "↓", "process"], ["total", "↓", "process"]]
    assert [line.split()[0] for line in table[3:5]] == ["container", "vm"]
    assert "no interval: 3 blocks" in done.stdout
    assert "phases of container: cgroup" in done.stdout
    assert "not run: broken: there is no such program (apt install such)" in done.stdout
    assert "harness (backend null):" in done.stdout
    assert "Its figures are TCG's, not KVM's" in done.stdout
    assert table[-1] == f"report: {tmp_path}/run/report.html"
    assert "\x1b" not in done.stdout + done.stderr
    assert "16 trials" in done.stderr
    assert " left" in done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "manifest.json",
        "environment.json",
        "trials.jsonl",
        "trials.parquet",
        "summary.json",
        "report.html",
        "plots",
    }
    assert Run.load(tmp_path / "run").terms.seed == 5


def test_on_a_narrow_terminal_names_give_way_and_figures_stand(home: Path, tmp_path: Path) -> None:
    request = words("compare", "-n", 1, "-b", "vm:memory=64M,mode=b", "-b", "process", "-o", tmp_path / "run")
    shell = {**environment(home), "COLUMNS": "80", "TERM": "xterm"}
    done = subprocess.run(
        ["script", "-qec", shlex.join(request), "/dev/null"],
        env=shell,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout)
    table = text[text.index("startup of") :]
    assert "…" not in table
    assert "INTERVAL" in table
    assert "vm:memory=64M" in table
    assert "4/6" in text  # the bar went on between the trials


def test_json_is_the_summary_and_nothing_else(command: Command, tmp_path: Path) -> None:
    done = command("compare", "-n", 1, "-b", "vm", "--json", "-o", tmp_path / "run")
    assert json.loads(done.stdout) == json.loads((tmp_path / "run/summary.json").read_text())


def test_the_folder_is_made_below_runs(command: Command, tmp_path: Path) -> None:
    done = command("compare", "-n", 1, "-b", "vm", cwd=tmp_path)
    [run] = (tmp_path / "runs").iterdir()
    assert done.stdout.splitlines()[-1] == f"report: runs/{run.name}/report.html"


def test_a_failed_trial_makes_status_1(command: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('command = ["exit", "3"]\n')
    done = command("compare", tmp_path / "bad.toml", "-b", "process", "-n", 2, "-o", tmp_path / "run")
    assert done.returncode == 1
    reason = "the workload ended with status 3"
    assert f"failed: process (startup), 2 trial(s) and 1 warm-up(s): {reason}" in done.stdout
    assert f"failed: startup, process, block 1: {reason}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("nonesuch",), 2, "there is no workload 'nonesuch'"),
        (("nonesuch.toml",), 2, "cannot read workload"),
        (("-b", "nonesuch"), 2, "there is no backend 'nonesuch'"),
        (("-b", "vm:mode=z"), 2, "mode=z is not known"),
        (("-m", "nonesuch"), 2, "there is no benchmark 'nonesuch'"),
        (("-n", "0"), 2, "0 blocks"),
        (("-n", "many"), 2, "'many' is not a valid integer"),
        (("--seed", "-1"), 2, "-1"),
        (("-n", "3", "--quick"), 2, "--quick and -n"),
        (("--precision", "5%", "--quick"), 2, "--quick and --precision"),
        (("--precision", "5%", "-n", "8"), 2, "8 blocks have no intervals"),
        (("--precision", "narrow"), 2, "'narrow' is not a precision"),
        (("--precision", "0%"), 2, "'0%' is not a precision"),
        (("--precision", "5"), 2, "'5' is not a precision"),
        (("--budget", "a while"), 2, "'a while' is not a span of time"),
        (("--budget", "0s"), 2, "'0s' is not a span of time"),
        (("--budget", "-5m"), 2, "'-5m' is not a span of time"),
        (("-m", "startup:nonesuch=1"), 2, "benchmark 'startup' has no option 'nonesuch'"),
        (("-b", "broken"), 3, "backend 'broken' cannot run here: there is no such program"),
        (("--resume", "nonesuch"), 2, "cannot read nonesuch/manifest.json"),
    ],
)
def test_a_wrong_request_is_told_in_two_lines(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = command("compare", *arguments, cwd=tmp_path)
    assert done.returncode == status
    [error, hint] = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_run_here_does_not_stop_the_others_and_makes_status_3(command: Command, tmp_path: Path) -> None:
    done = command("compare", "-n", 1, "-b", "vm", "-b", "broken", "-o", tmp_path / "run")
    assert done.returncode == 3
    assert "unavailable: broken (startup), 1 trial(s)" in done.stdout
    assert "apt install such" in done.stdout
    assert re.search(r"^ready ↓ +vm\b", done.stdout, re.MULTILINE), "the other one was measured"


def test_a_second_run_into_one_folder_is_refused(command: Command, tmp_path: Path) -> None:
    request = ("compare", "-n", 1, "-b", "vm", "-o", tmp_path / "run")
    assert command(*request).returncode == 0
    before = (tmp_path / "run/trials.jsonl").read_bytes()
    done = command(*request)
    assert done.returncode == 2
    assert f"--resume {tmp_path}/run" in done.stderr
    assert (tmp_path / "run/trials.jsonl").read_bytes() == before


def test_a_run_goes_on_under_its_own_terms_only(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("compare", "-n", 1, "-b", "vm", "--seed", 3, "-o", run).returncode == 0
    for other in (
        ("-n", 2),
        ("-b", "process"),
        ("--seed", 4),
        ("true",),
        ("-m", "steps"),
        ("--quick",),
        ("-o", "x"),
        ("--precision", "5%"),
        ("--budget", "5m"),
    ):
        done = command("compare", "--resume", run, *other)
        assert done.returncode == 2, other
        assert "other" in done.stderr
        assert "own terms" in done.stderr
    same = command("compare", "hello", "--resume", run, "-n", 1, "-b", "vm", "--seed", 3, "-m", "startup")
    assert same.returncode == 0, same.stderr


def test_a_report_is_written_again_from_the_trials(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert command("compare", "-n", 2, "-b", "vm", "-o", run).returncode == 0
    first = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for path in first:
        if path.name not in ("manifest.json", "environment.json", "trials.jsonl"):
            path.unlink()
    done = command("report", run)
    assert done.returncode == 0, done.stderr
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == first


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_comparison_shows_what_it_has_and_how_to_go_on(home: Path, tmp_path: Path, number: int) -> None:
    run = tmp_path / "run"
    process = begin(home, run, blocks=500)
    wait_for_lines(run, 60)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "startup of hello" in out
    assert err.splitlines()[-1] == f"stopped; go on with: isoscope compare --resume {run}"
    assert "Traceback" not in err
    assert (run / "report.html").exists()
    assert list(Registry(home)) == []


def test_a_comparison_killed_again_and_again_loses_nothing_and_repeats_nothing(home: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    draw = random.Random(11)
    process = begin(home, run, blocks=40)
    wait_for_a_trial(process)
    kills = 0
    for target in sorted(draw.sample(range(20, 1100), 4)):
        wait_for_lines(run, target)
        time.sleep(draw.random() * 0.01)  # anywhere within a trial
        process.kill()
        process.communicate()
        kills += 1
        kept = whole(run)
        process = begin(home, run, resume=True)
        wait_for_a_trial(process)  # lines of a trial that was cut short may stand in the file until then
        assert whole(run)[: len(kept)] == kept
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert kills == 4
    found = Run.load(run)
    ends = found.trials[found.trials["metric"] == "harness.trial"]
    warmed = ends["trial"] >= len(found.terms.cells())
    assert ends[warmed]["warmup"].all()
    assert warmed.sum() >= kills
    ends = ends[~warmed]
    assert list(ends["trial"]) == [cell.trial for cell in found.terms.cells()]
    assert list(ends["variant"]) == [cell.variant for cell in found.terms.cells()]
    assert not found.trials.duplicated(["trial", "metric"]).any()
    assert found.complete
    assert len(found.environment["earlier"]) == kills
    for name in ("instances", "names"):  # what the killed ones left, half made or half removed, is what gc is for
        shutil.rmtree(home / name)


def begin(home: Path, run: Path, *, blocks: int = 0, resume: bool = False) -> subprocess.Popen[str]:
    arguments = ["--resume", run] if resume else ["-o", run, "-n", blocks, "--seed", 1]
    return subprocess.Popen(
        words("compare", *arguments), env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_a_trial(process: subprocess.Popen[str]) -> None:
    """Read what the process tells until it says that it has begun a trial of its own."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(("warm-up block", "block")):
            return
    pytest.fail(f"no trial was begun: {process.communicate()[1]}")


def whole(run: Path) -> list[dict[str, object]]:
    """The rows of finished trials."""
    rows = [line.row for line in lines(run / "trials.jsonl")]
    while rows and rows[-1]["metric"] != "harness.trial":
        rows.pop()
    return rows


def wait_for_lines(run: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if (run / "trials.jsonl").read_bytes().count(b"\n") >= count:
                return
        except FileNotFoundError:
            pass
        time.sleep(0.002)
    pytest.fail(f"{run} never had {count} lines")
