"""Real trials in real instances, whole and broken."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from isoscope.benchmarks.disk import benchmark as disk
from isoscope.benchmarks.disk.cautions import cautions
from isoscope.core import Lab, Variant
from isoscope.core.errors import CommandNotFound, HostError, InstanceFailed, Timeout, WorkloadFailed
from isoscope.testing.host import KEPT

pytestmark = pytest.mark.root

NUMBERS = {
    "disk.iops": 1,
    "disk.latency.mean": 1,
    "disk.latency.p50": 1,
    "disk.latency.p99": 1,
    "disk.cpu": 1,
    "disk.host_cpu": 1,
    "disk.flush": 1,
}


def as_run(**values):
    """What the report's cautions read of a run, of the values of a trial for each variant."""
    rows = [
        {"benchmark": "disk", "warmup": False, "status": "ok", "variant": variant}
        | {"metric": value.metric.name, "value": value.value, "labels": dict(value.labels)}
        for variant, found in values.items()
        for value in found
        if value.value is not None
    ]
    options = {"size": "16M"}
    return SimpleNamespace(
        trials=pd.DataFrame(rows),
        environment={},
        terms=SimpleNamespace(subject=lambda _: SimpleNamespace(options=options), variant=Variant.parse),
    )


@pytest.mark.parametrize("variant", ["process", "process:storage=volume", "container", "container:storage=volume"])
def test_a_trial_finds_everything_once_and_leaves_nothing(bench, variant):
    found = bench.measure(variant)
    assert Counter(value.metric.name for value in found) == NUMBERS
    assert {value.labels["phase"] for value in found} == {"rand-read", "flush"}
    assert {value.labels.get("cached", "") for value in found} == {""}
    where = "overlay, volume on /data" if "volume" in variant else "overlay"
    assert {value.labels["storage"] for value in found} == {where}
    assert not list(bench.lab.registry)
    (flush,) = (value for value in found if value.metric.name == "disk.flush")
    assert flush.labels["unflushed"] < 0.1
    assert any("dropping the caches of the whole host" in step for step in bench.steps)  # others are told


def test_reads_and_writes_of_a_mixed_phase_stand_apart_and_all_is_kept(bench):
    found = bench.measure("container", phases="mixed")
    phases = {metric: [v.labels["phase"] for v in found if v.metric.name == metric] for metric in NUMBERS}
    assert phases["disk.iops"] == phases["disk.latency.p99"] == ["mixed-reads", "mixed-writes"]
    assert phases["disk.cpu"] == ["mixed"]
    assert list(bench.kept) == ["jobs.fio", "layout.json", "mixed.json", "flush.json"]
    for name in ("layout", "mixed", "flush"):
        (job,) = json.loads(bench.kept[f"{name}.json"])["jobs"]
        assert job["jobname"] == name
        assert job["job options"]["filename"] == "/var/tmp/isoscope.fio"
    assert b"[mixed]\nfilename=/var/tmp/isoscope.fio\nsize=16777216\n" in bench.kept["jobs.fio"]


def test_a_warm_up_is_one_short_phase(bench):
    bench.measure("process", warmup=True, phases="seq-read+rand-read", runtime="30")
    assert list(bench.kept) == ["jobs.fio", "layout.json", "seq-read.json", "flush.json"]
    assert json.loads(bench.kept["seq-read.json"])["jobs"][0]["job options"]["runtime"] == "500ms"


def test_an_image_without_fio(bench):
    with pytest.raises(CommandNotFound, match="fio"):
        bench.measure("container", workload=bench.lab.workload("sleep"))
    assert not list(bench.lab.registry)


def test_an_instance_that_dies_under_fio(bench):
    """The workload is killed once fio runs beside it."""
    trial = bench.trial("container", runtime="60")
    killer = threading.Thread(target=kill_beside_fio, args=(bench.lab,))

    def step(text: str) -> None:
        if text == "rand-read, 1 of 1":
            killer.start()

    object.__setattr__(trial, "step", step)
    with pytest.raises(InstanceFailed, match="ended in fio's phase 'rand-read'"):
        list(disk.Disk().measure(trial))
    killer.join()
    assert not list(bench.lab.registry)


def kill_beside_fio(lab: Lab) -> None:
    (record,) = lab.registry
    folders = [Path(path) for path in record.resources["cgroups"].values()]
    while True:
        for pid in {pid for folder in folders for pid in (folder / "cgroup.procs").read_text().split()}:
            if "fio" in Path(f"/proc/{pid}/comm").read_text():
                workload = min(folders[0].joinpath("cgroup.procs").read_text().split(), key=int)
                subprocess.run(["kill", f"-{signal.SIGKILL.value}", workload], check=True)
                return


def test_a_phase_has_a_deadline(bench):
    class Impatient(disk._Session):
        def _run(self, job, timeout=None):
            return super()._run(job, timeout or 0.5)

    trial = bench.trial("container", runtime="60")
    with trial.instance() as instance:
        instance.start()
        instance.wait_ready(60)
        session = Impatient(trial, instance, disk.Plan("/var/tmp/isoscope.fio", 16 << 20, 60, 0.1))
        with pytest.raises(Timeout, match=r"phase 'rand-read' did not end within 0\.5 s"):
            list(session.measure())


def test_a_file_that_cannot_fit_is_refused_before_anything_is_made(bench):
    with pytest.raises(HostError, match="the disk is too full") as raised:
        bench.measure("container", size="4096T")
    assert raised.value.hint
    assert bench.steps == []


@pytest.fixture
def small_home(stocked_home: Path, shared_home: Path, tmp_path: Path) -> Iterator[Path]:
    """A state directory on a disk of 24 MiB, with the session's images and caches."""
    image, mount = tmp_path / "disk", stocked_home / "small"
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
    mount.mkdir()
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        for name in KEPT:
            (mount / name).symlink_to(shared_home / name)
        yield mount
    finally:
        subprocess.run(["umount", mount], check=True)


@pytest.mark.parametrize(
    ("variant", "words"), [("container", "the disk is full"), ("vm", "when the host's disk is full")], ids=str
)
def test_a_disk_that_runs_full(small_home, monkeypatch, make_bench, variant, words):
    """As when others filled it meanwhile: at the beginning, there was room."""
    monkeypatch.setattr(disk, "_check_room", lambda *_: None)
    with Lab(small_home) as lab:
        with pytest.raises(WorkloadFailed, match="phase 'layout'") as raised:
            make_bench(lab).measure(variant, size="64M")
        assert words in raised.value.message
        assert not list(lab.registry)
    assert not list(small_home.glob("vm/*"))


@pytest.mark.vm
def test_a_vm_that_ignores_flushes_is_found_out(bench):
    found = {variant: bench.measure(variant, warmup=True) for variant in ("vm", "vm:cache=unsafe")}
    assert all(Counter(value.metric.name for value in values) == NUMBERS for values in found.values())
    warned = [said.partition(": ")[0] for said in cautions(as_run(**found)) if "a flush costs nothing here" in said]
    assert warned == ["vm:cache=unsafe"]
    assert found["vm"][0].labels["cached"] == ""
    assert found["vm"][0].labels["cache"] == "writeback"


def test_a_comparison_draws_every_figure(lab, tmp_path):
    run = lab.compare(
        backends=["process", "container:storage=volume"],
        benchmarks=["disk:size=16M,runtime=0.1,ramp=0.1,phases=seq-write+rand-read"],
        blocks=1,
        directory=tmp_path / "run",
    )
    assert not run.failed
    drawn = {path.stem: path.read_text() for path in (tmp_path / "run/plots").glob("disk-*.svg")}
    kinds = ("bandwidth", "iops", "flush", "cpu", "host_cpu", "latency-p99", "latency-rand-read")
    assert set(drawn) == {f"disk-{kind}" for kind in kinds}
    assert all("container:storage=volume" in svg and "aria-label" in svg for svg in drawn.values())
    report = (tmp_path / "run/report.html").read_text()
    assert "smaller than the host&#39;s memory" in report
    assert list((tmp_path / "run/raw/disk").glob("*-seq-write.json"))
