"""Density of real processes, containers and VMs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from isoscope.benchmarks import Value
from isoscope.benchmarks.density.benchmark import Density
from isoscope.core import Lab

from .conftest import trial

pytestmark = pytest.mark.root

#: Measures in a process of its own, and says how far it has come.
MEASURE = """
import sys
from contextlib import nullcontext
from isoscope.benchmarks import Trial
from isoscope.benchmarks.density.benchmark import Density
from isoscope.benchmarks.request import Request
from isoscope.core import Lab, Variant

variant, upto = sys.argv[1:]
resolved = Request("density", {"upto": upto, "settle": "0.01s"}).resolve(Density.options, quick=False)
options = {option.name: option.read(resolved[option.name]) for option in Density.options}
with Lab() as lab:
    trial = Trial(
        lab, Variant.parse(variant), lab.workload("sleep"), 1, False, 60, options, nullcontext,
        step=lambda text: print(text, flush=True), keep=lambda name, data: None,
    )
    for value in Density().measure(trial):
        if value.metric.name in ("density.reached", "density.fits"):
            print(value.metric.name, value.value, value.labels.get("limit"), value.labels.get("binding"))
"""


def measured(lab: Lab, variant: str, **options: str) -> tuple[dict[str, list[Value]], dict[str, object]]:
    """The values by metric, and the ramp as it is kept."""
    stage = SimpleNamespace(steps=[], kept={})
    found: dict[str, list[Value]] = {}
    for value in Density().measure(trial(lab, variant, lab.workload("sleep"), stage, **options)):
        found.setdefault(value.metric.name, []).append(value)
    return found, json.loads(stage.kept["ramp.json"])


@pytest.mark.parametrize("backend", ["process", "container"])
def test_twenty_of_them(lab, backend):
    found, ramp = measured(lab, backend, upto="20", at_once="4")
    assert found["density.reached"][0].value == 20
    assert ramp["limit"] == "enough"
    looks = {look["instances"]: look for look in ramp["looks"]}
    assert list(looks) == [0, 1, 2, 5, 10, 20]
    # one process and one task each; all of the program's pages are shared but some
    assert looks[20]["usage"]["pids"]["used"] - looks[0]["usage"]["pids"]["used"] == 20
    pss = [looks[n]["pss"] for n in (1, 2, 5, 10, 20)]
    assert pss == sorted(pss)
    [marginal] = found["density.marginal_pss"]
    assert 4096 < (marginal.value or 0) < 4 << 20
    assert all((look["cgroup_memory"] or 0) > 0 for n, look in looks.items() if n)
    assert all(look["keeper_pss"] > 1 << 20 for look in looks.values())
    [fits] = found["density.fits"]
    assert (fits.value or 0) > 20
    assert fits.labels["binding"]


@pytest.mark.vm
def test_vms_with_all_that_runs_them(lab):
    found, ramp = measured(lab, "vm:memory=96M", upto="2", host="64G")
    assert found["density.reached"][0].value == 2
    assert found["density.reached"][0].labels["accelerator"] in ("kvm", "tcg")
    looks = {look["instances"]: look for look in ramp["looks"]}
    # a guest touches most of so little memory, QEMU has tens of MiB of its own, and no cgroup misses any of it
    assert (found["density.marginal_pss"][0].value or 0) > 40 << 20
    assert looks[2]["cgroup_memory"] > 80 << 20
    assert looks[2]["usage"]["pids"]["used"] - looks[1]["usage"]["pids"]["used"] > 1  # QEMU's threads
    assert {one.labels["host"] for one in found["density.fits"]} == {"this host", "64 GiB"}
    assert {one.labels["instances"] for one in found["startup.ready"]} == {0, 1, 2}


def test_descriptors_end_a_ramp_and_what_ran_is_removed(stocked_home: Path, lab: Lab):
    lab.images.rootfs("base")
    limit = ["prlimit", "--nofile=150:150"]
    done = subprocess.run(
        [*limit, sys.executable, "-c", MEASURE, "container", "60"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reached = next(line.split() for line in done.stdout.splitlines() if line.startswith("density.reached"))
    assert 2 <= float(reached[1]) < 60
    assert "file descriptors None" in done.stdout
    assert "None file descriptors" in done.stdout  # what binds, too


def test_a_ramp_killed_on_its_way_is_removed_by_gc(stocked_home: Path, lab: Lab):
    lab.images.rootfs("base")
    with subprocess.Popen(
        [sys.executable, "-c", MEASURE, "container", "60"], stdout=subprocess.PIPE, text=True
    ) as ramp:
        assert ramp.stdout is not None
        for line in ramp.stdout:
            if line.startswith("12 of"):
                break
        os.kill(ramp.pid, signal.SIGKILL)
    assert len(list(lab.registry)) >= 12
    lab.gc()
    assert list(lab.registry) == []  # of the rest, the fixture sees whether it has gone
