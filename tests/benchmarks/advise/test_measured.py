"""Which runs count as this host's, and which of their figures stands for what."""

import json
import shutil

import pytest
from isoscope.backends.vm.backend import VmBackend
from isoscope.benchmarks.advise.candidates import KVM, TCG, candidate, on
from isoscope.benchmarks.advise.figures import Basis, costs
from isoscope.benchmarks.advise.measured import measured as figure_of
from isoscope.benchmarks.results.past import past, read
from isoscope.core.workload import Workload

from .conftest import RUNS

HELLO = Workload(command=("echo", "hello"))


@pytest.fixture
def host():
    run = read(RUNS / "start-density")
    return {**run.manifest["host"], "memory": run.environment["host"]["memory"]["total"]}


def test_a_folder_may_be_a_run_or_hold_some(host):
    for folders, names in (
        ([RUNS], ["slowdowns", "start-density"]),  # the newest first
        ([RUNS / "start-density"], ["start-density"]),
        ([RUNS, RUNS / "start-density"], ["slowdowns", "start-density"]),
    ):
        assert [run.directory.name for run in past(folders, host).runs] == names
    assert past([RUNS / "nothing"], host).runs == ()


@pytest.mark.parametrize("fact", ["cpu", "logical_cpus", "memory", "kernel"])
def test_another_hosts_run_is_passed_over_and_said(host, fact):
    other = {**host, fact: host[fact] * 2}
    found = past([RUNS], other)
    assert found.runs == ()
    assert found.passed[0].why == f"made on another host: other {fact}"


def test_a_broken_run_is_passed_over_and_said(host, tmp_path):
    shutil.copytree(RUNS / "start-density", tmp_path / "broken")
    (tmp_path / "broken" / "summary.json").write_text("{")
    shutil.copytree(RUNS / "start-density", tmp_path / "older")
    path = tmp_path / "older" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "host": None}))
    shutil.copytree(RUNS / "start-density", tmp_path / "other")
    path = tmp_path / "other" / "summary.json"
    summary = json.loads(path.read_text())
    del summary["series"][3]["p50"]
    path.write_text(json.dumps(summary))
    found = past([tmp_path], host)
    assert found.runs == ()
    assert {one.directory.name for one in found.passed} == {"broken", "older", "other"}


def test_tcg_never_stands_for_kvm(measured):
    vm = candidate("vm", VmBackend.capabilities)
    assert figure_of(measured, on(vm, TCG), costs()["start"], HELLO).value > 1e9
    assert figure_of(measured, on(vm, KVM), costs()["start"], HELLO) is None


def test_a_platform_that_a_run_alone_tells_is_no_obstacle(host, tmp_path, candidates):
    shutil.copytree(RUNS / "start-density", tmp_path / "gvisor")
    for name in ("manifest.json", "summary.json"):
        path = tmp_path / "gvisor" / name
        path.write_text(path.read_text().replace('"tcg"', '"ptrace"').replace('"vm"', '"oci:runtime=runsc"'))
    runsc = next(one for one in candidates if one.variant == "oci:runtime=runsc")
    assert figure_of(past([tmp_path], host), runsc, costs()["start"], HELLO).value > 1e9


def test_a_figure_says_where_it_comes_from(measured, candidates):
    container = next(one for one in candidates if one.variant == "container")
    figure = figure_of(measured, container, costs()["start"], HELLO)
    assert figure.basis is Basis.MEASURED
    assert figure.source.endswith("runs/start-density")
    assert figure.detail.startswith("startup.ready of hello, 6 blocks; disturbed: the host is busy: others use")


def test_the_workload_itself_before_another_and_an_interval_before_none(host, tmp_path, candidates):
    """Three runs, the newest last: of another workload, of the same one, and of another with an interval."""
    container = next(one for one in candidates if one.variant == "container")
    values = {"a": (["echo", "hello"], 1.0, None), "b": (["other"], 2.0, None), "c": (["other"], 3.0, 2.5)}
    for day, (name, (command, value, low)) in enumerate(values.items()):
        folder = tmp_path / name
        shutil.copytree(RUNS / "start-density", folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["created_at"] = f"2026-01-0{day + 1}T00:00:00Z"
        manifest["benchmarks"][0]["workload"]["command"] = command
        summary = json.loads((folder / "summary.json").read_text())
        for series in summary["series"]:
            if series["metric"] == "startup.ready":
                series.update(p50=value, median_interval={"low": low, "high": low and 3.5, "reason": ""})
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "summary.json").write_text(json.dumps(summary))
    found = past([tmp_path], host)
    assert figure_of(found, container, costs()["start"], HELLO).value == 1.0
    assert figure_of(found, container, costs()["start"], Workload(command=("third",))).value == 3.0
