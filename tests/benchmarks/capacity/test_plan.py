"""Plans from a stored run: nothing of them depends on the machine."""

import json
import shutil
from dataclasses import replace

import pytest
from isoscope.benchmarks.capacity import plan_capacity, words
from isoscope.benchmarks.capacity.host import PlannedHost
from isoscope.benchmarks.capacity.plan import extrapolate
from isoscope.benchmarks.results.past import read
from isoscope.benchmarks.told import print_told
from isoscope.core import Lab
from isoscope.core.errors import InputError, NotFound
from isoscope.core.variant import Variant
from isoscope.core.workload import Resources, Workload

from ..advise.conftest import RUNS

SLEEP = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"))
RUN = RUNS / "start-density"


def made(variant="vm", host="cpus=64,memory=512G", *, workload=SLEEP, hosts=1, runs=None):
    planned = None if host is None else PlannedHost.parse(host)
    runs = [read(RUN)] if runs is None else runs
    return extrapolate(runs, Variant.parse(variant), workload, planned, hosts=hosts, file="")


def test_a_machine_is_bound_by_memory_and_how_far_that_is_from_what_was_measured_is_said():
    found = made()
    value, low, high = found.fits
    assert found.variant == "vm (tcg)"
    assert found.binding.limit == "memory"
    assert low <= value <= high
    assert value == int((512 * 0.9 * (1 << 30) - found.binding.fit.base) / found.binding.fit.each.value)
    assert found.beyond == pytest.approx(value / 5)
    assert found.own


def test_more_memory_takes_more_machines_until_another_limit_binds():
    counts = [made(host=f"cpus=64,memory={size}").fits[0] for size in ("64G", "128G", "512G")]
    assert counts == sorted(set(counts))
    assert made(host="cpus=64,memory=100T").binding.limit != "memory"
    assert made(host="cpus=64,memory=100T,pids=100").fits[0] < 20


def test_a_container_is_bound_by_descriptors_long_before_memory():
    found = made("container")
    assert found.binding.limit == "file descriptors"
    assert not found.binding.told
    assert next(room for room in found.rooms if room.limit == "memory").fits > found.fits[0]


def test_a_fleet_and_how_many_hosts_so_many_need():
    found = made(hosts=10)
    value, low, high = found.fits
    assert found.as_dict()["fleet"] == {"hosts": 10, "value": 10 * value, "low": 10 * low, "high": 10 * high}
    assert found.hosts_for(value * 3 + 1)[0] == 4
    assert found.hosts_for(high) == (2 if high > value else 1, 1, 2 if high > low else 1)


def test_none_that_fits_needs_no_number_of_hosts():
    found = made(host="cpus=1,memory=1G")
    assert found.fits[0] == 0
    assert found.hosts_for(1) is None


def test_what_each_may_take_is_counted_apart():
    found = made(workload=replace(SLEEP, resources=Resources(memory=1 << 30, cpus=0.5)))
    assert (found.reserved, found.reserved_by) == (128, "cpu")
    assert made().reserved is None


def test_the_host_that_was_measured_is_the_default():
    assert made(host=None).binding.most == pytest.approx(0.9 * 25276510208)


def test_starts_are_of_the_same_accelerator_and_in_their_unit():
    ready = next(
        one["p50"]
        for one in read(RUN).summary["series"]
        if (one["metric"], one["variant"], one["benchmark"]) == ("startup.ready", "vm", "startup")
    )
    assert made().rates[0].value == pytest.approx(1e9 / ready)


def test_what_was_never_measured_is_refused_with_the_command():
    for runs in (None, []):
        with pytest.raises(NotFound, match="was never measured here") as caught:
            made("vm:memory=128M", runs=runs)
        assert "isoscope compare -m density:upto=50 -b vm:memory=128M -n 6" in caught.value.hint


def test_a_fit_that_does_not_hold_is_refused(tmp_path):
    shutil.copytree(RUN, tmp_path / "run")
    for path in (tmp_path / "run" / "raw" / "density").iterdir():
        ramp = json.loads(path.read_text())
        for look in ramp["looks"][1:]:
            look["usage"]["pids"]["used"] = 100 + look["instances"] ** 4
        path.write_text(json.dumps(ramp))
    with pytest.raises(InputError, match="the fit does not hold: pids"):
        made("container", runs=[read(tmp_path / "run")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cpus=64", "memory are missing"),
        ("cpus=64,memory=512G,disks=3", "'disks=3' says nothing of a host"),
        ("cpus=64,cpus=3,memory=1G", "cpus stands twice"),
        ("cpus=0,memory=1G", "0"),
        ("cpus=2,memory=lots", "not a size"),
        ("", "says nothing"),
    ],
)
def test_a_host_that_cannot_be_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        PlannedHost.parse(text)


def test_the_text_tells_all_of_it(capsys):
    print_told(words.told(made(hosts=3)))
    text = capsys.readouterr().out
    value, low, high = made().fits
    assert text.startswith(f"{value:,} instances of sleep fit one host on vm (tcg) [{low:,}, {high:,}]\n")
    assert f"{3 * value:,} on 3 such hosts" in text
    assert "measured to 5 instances" in text
    assert "a guess that the line goes on" in text
    assert "several at once were not measured: isoscope compare -m startup:at-once=8 -b vm" in text
    assert json.dumps(made().as_dict())


def test_a_notebook_shows_its_table():
    text = made()._repr_html_()
    assert "instances of sleep fit one host on vm (tcg)" in text
    assert text.count("<tr>") == 1 + len(made().rooms)


def test_without_runs_there_is_no_plan(home, tmp_path):
    with Lab(home) as lab:
        with pytest.raises(NotFound, match="was never measured here"):
            plan_capacity(lab, "null", runs=[tmp_path])
        with pytest.raises(NotFound, match="there is no folder"):
            plan_capacity(lab, "null", runs=[tmp_path / "none"])


def test_the_command_refuses_what_contradicts_itself(command):
    done = command("plan", "-b", "vm", "--hosts", 2, "--instances", 5)
    assert done.returncode == 2
    assert "both set the fleet" in done.stderr
    done = command("plan", "-b", "vm", "--host", "cpus=2,memory=8G")
    assert done.returncode == 2
    assert "the density of vm was never measured here" in done.stderr
