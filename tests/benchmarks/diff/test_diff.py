"""Two runs beside each other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from isoscope.benchmarks import Run
from isoscope.benchmarks.diff.difference import Difference, Line, compare
from isoscope.benchmarks.diff.markdown import render
from isoscope.core.cli.main import cli
from isoscope.core.errors import InputError

from ..report.conftest import HOSTILE
from ..report.fake_run import make, shapes

Command = Callable[..., subprocess.CompletedProcess[str]]

STARTUP, PACK, STORE = shapes()[:3]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("runs") / "before", shapes=(STARTUP, STORE))


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a container that costs a third more."""
    return make(tmp_path_factory.mktemp("runs") / "after", shapes=(STARTUP, STORE), slower=1.33, seed=8)


def diff(first: Path, second: Path, **more: Any) -> Difference:
    return compare(Run.load(first), Run.load(second), **more)


def invoke(*arguments: object) -> str:
    """What the command prints, in this process."""
    done = CliRunner().invoke(cli, ["diff", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def line(found: Difference, metric: str, variant: str, **labels: Any) -> Line:
    [one] = [
        one for one in found.lines if (one.metric.name, one.variant, dict(one.labels)) == (metric, variant, labels)
    ]
    return one


def test_what_became_slower_is_told_from_what_did_not(before: Path, after: Path) -> None:
    found = diff(before, after)
    slower = line(found, "startup.ready", "container")
    assert slower.ratio == pytest.approx(1.33, rel=0.15)
    assert slower.interval.low is not None
    assert slower.interval.high is not None
    assert 1 < slower.interval.low < slower.ratio < slower.interval.high
    assert slower.verdict == "slower"
    assert slower.p_value is not None
    assert slower.p_value < 0.01
    assert line(found, "startup.ready", "vm").verdict == "no difference shown"
    # of a rate, less is slower
    assert line(found, "store.throughput", "container", phase="seq-read").verdict == "slower"
    assert line(diff(after, before), "store.throughput", "container", phase="seq-read").verdict == "faster"


def test_the_figures_do_not_depend_on_what_else_is_compared(before: Path, after: Path, tmp_path: Path) -> None:
    alone = make(tmp_path / "alone", shapes=(STARTUP, STORE))
    assert (
        line(diff(before, after), "startup.total", "container").interval
        == line(diff(alone, after), "startup.total", "container").interval
    )


def test_variants_stand_beside_each_other_under_each_metric_and_dimension(before: Path, after: Path) -> None:
    lines = [(one.name, one.variant) for one in diff(before, after).lines]
    assert lines[:6] == [
        (f"startup.{name}", who) for name in ("ready", "total") for who in ("process", "container", "vm")
    ]
    assert lines[6:8] == [("store.throughput seq-read", "process"), ("store.throughput seq-read", "container")]


def change_cpu(environment: dict[str, Any]) -> None:
    environment["host"]["cpu"]["model"] = "A Slow CPU"


def change_governor(environment: dict[str, Any]) -> None:
    environment["cpu"]["governor"] = ["powersave"]


def change_mitigations(environment: dict[str, Any]) -> None:
    environment["cpu"]["mitigations"]["spectre_v2"] = "Vulnerable"


def change_memory(environment: dict[str, Any]) -> None:
    environment["host"]["memory"]["total"] = 8 << 30


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_cpu, "CPU: A Fast CPU @ 2.50GHz against A Slow CPU"),
        (change_governor, "frequency governor: not exposed against powersave"),
        (change_mitigations, "mitigations: spectre_v2: Mitigation: IBRS against spectre_v2: Vulnerable"),
        (change_memory, "memory: 24 GiB against 8 GiB"),
    ],
)
def test_another_host_is_refused_and_named(
    before: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    other = make(tmp_path / "other", shapes=(STARTUP,), change=change)
    with pytest.raises(InputError, match="not made alike") as raised:
        diff(before, other)
    assert raised.value.message == f"the runs were not made alike: {told}"
    assert "--anyway" in raised.value.hint
    assert [str(one) for one in diff(before, other, anyway=True).unlike] == [told]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("versions", "kernel"), "6.19.0", "kernel: 6.18.0 against 6.19.0"),
        (("versions", "qemu"), "", "qemu: 7.2.0 against absent"),
        (("versions", "isoscope"), "0.2.0", "isoscope: 0.1.0 against 0.2.0"),
        (("benchmarks", 0, "image"), "sha256:cd", f"startup: image: sha256:{'ab' * 26}… against sha256:cd"),
        (("benchmarks", 0, "workload", "command"), ["true"], "startup: command: echo hello against true"),
        (
            ("benchmarks", 0, "workload", "resources", "memory"),
            1 << 26,
            "startup: resources memory: none against 64 MiB",
        ),
        (("benchmarks", 0, "workload", "network"), "bridge", "startup: network: none against bridge"),
        (("benchmarks", 0, "options"), {"at_once": "4"}, "startup: option at_once: unknown against 4"),
    ],
)
def test_other_software_another_workload_and_other_terms_are_refused_and_named(
    before: Path, tmp_path: Path, path: tuple[Any, ...], value: Any, told: str
) -> None:
    other = make(tmp_path / "other", shapes=(STARTUP,), blocks=1)
    manifest = json.loads((other / "manifest.json").read_text())
    place = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError) as raised:
        diff(before, other)
    assert raised.value.message == f"the runs were not made alike: {told}"


def test_a_host_that_nobody_wrote_down_is_not_taken_for_the_same(before: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", shapes=(STARTUP,), blocks=1)
    (other / "environment.json").unlink()
    for first, second, told in ((before, other, "known against unknown"), (other, before, "unknown against known")):
        with pytest.raises(InputError, match=f"environment: {told}"):
            diff(first, second)


def test_emulation_never_stands_in_one_line_with_hardware(before: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", shapes=(STARTUP,), accelerator="kvm")
    one = line(diff(before, other), "startup.ready", "vm")
    assert one.ratio is None
    assert one.verdict == "not comparable"
    assert one.reason == "tcg in the first run, kvm in the second"


def test_what_only_one_run_has_is_listed(before: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", shapes=(STARTUP, PACK), variants=("process", "vm:memory=1G", "container"))
    found = diff(before, other)
    assert line(found, "startup.ready", "vm").reason == "not in the second run"
    assert line(found, "startup.ready", "vm:memory=1G").reason == "not in the first run"
    assert line(found, "store.latency", "vm").reason == "not in the second run"
    assert line(found, "pack.fit", "container").reason == "not in the first run"
    assert line(found, "startup.ready", "container").ratio is not None


def test_a_series_without_a_value_says_why(before: Path, after: Path) -> None:
    one = line(diff(before, after), "store.latency", "vm")
    assert one.reason == "no value in either run: fio ended with status 1 (No space left on device)"


def test_few_blocks_have_a_ratio_and_no_verdict(before: Path, tmp_path: Path) -> None:
    one = line(diff(before, make(tmp_path / "other", shapes=(STARTUP,), blocks=5)), "startup.ready", "process")
    assert one.ratio is not None
    assert one.verdict == "not comparable"
    assert one.reason == "5 blocks: an interval needs at least 9"


def test_a_difference_below_the_noise_floor_is_none(before: Path, after: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "environment.json", "trials.jsonl"):
        (tmp_path / name).write_bytes((after / name).read_bytes())
    environment = json.loads((tmp_path / "environment.json").read_text())
    environment["selftest"] = [
        {
            "benchmark": "startup",
            "backend": "container",
            "variant": "container",
            "metric": "startup.ready",
            "labels": {},
            "comparisons": 10,
            "blocks": 10,
            "half_width": 0.1,
            "greatest": 0.5,
            "busy": 0.0,
            "at": "2026-01-02T03:04:05Z",
        }
    ]
    (tmp_path / "environment.json").write_text(json.dumps(environment))
    found = diff(before, tmp_path)
    assert line(found, "startup.ready", "container").floor == 0.5
    assert line(found, "startup.ready", "container").verdict == "no difference shown"
    assert line(found, "startup.total", "container").verdict == "slower"


def test_one_run_twice_and_runs_without_a_common_benchmark_are_refused(before: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stands twice"):
        diff(before, before)
    with pytest.raises(InputError, match="no benchmark in common: startup, store against pack"):
        diff(before, make(tmp_path / "other", shapes=(PACK,), blocks=1))


def test_the_command_prints_a_table(command: Command, before: Path, after: Path) -> None:
    done = command("diff", before, after)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"first: {before}, 10 blocks, made 2026-01-02T03:04:05Z by isoscope 0.1.0"
    assert lines[2].startswith("Accelerator: TCG")
    assert [row.split()[0] for row in lines[5:8]] == ["METRIC", "ready", "container"]
    assert lines[7].endswith("slower")
    reason = "no value in either run: fio ended with status 1 (No space left on device)"
    assert f"not comparable: vm, {reason} (store.throughput, store.latency)" in done.stdout
    assert "about 1 would show one by chance" in done.stdout


def test_the_command_prints_json_and_markdown(before: Path, after: Path) -> None:
    data = json.loads(invoke(before, after, "--json"))
    assert data["schema"] == 1
    assert data["lines"][1]["verdict"] == "slower"
    assert data["lines"][1]["ratio"] > 1
    assert data["unlike"] == []
    text = invoke(before, after, "--format", "md")
    assert "| startup.ready | container | " in text
    assert "▼ slower |" in text


def test_what_is_no_run_is_refused_in_two_lines(command: Command, before: Path, tmp_path: Path) -> None:
    done = command("diff", before, tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: cannot read {tmp_path}/manifest.json: No such file or directory\nhint: name a run's folder\n"
    )


def test_unlike_runs_are_compared_when_told_and_it_is_said(before: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", shapes=(STARTUP,), blocks=1, change=change_cpu)
    assert "not alike: CPU: A Fast CPU @ 2.50GHz against A Slow CPU" in invoke(before, other, "--anyway")


def test_names_of_strangers_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    runs = [
        make(tmp_path / name, shapes=(STORE,), blocks=2, seed=seed, rename=lambda text: f"{text} {HOSTILE}")
        for name, seed in (("a", 1), ("b", 2))
    ]
    for text in (invoke(*runs), render(diff(*runs))):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31m" in text.replace("\\\\", "\\").replace("\\[", "[")
