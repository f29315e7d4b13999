"""One comparison over an SR-IOV card, which only the emulated host has: every function proves that it was one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks import Run

from .conftest import Rig

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

CONTAINER, VM = "container:network=vf", "vm:network=vf"
TO_INSTANCE, BETWEEN = "host-to-instance", "instance-to-instance"

#: The state of the card, of its functions and of all network devices, before and after. Carriers are no part of it: the
#: rig's own way out may not have had its when the rig was ready.
SCRIPT = """
card=/sys/bus/pci/devices/0000:01:00.0
state() { grep . $card/sriov_numvfs $card/sriov_drivers_autoprobe /sys/class/net/*/flags /sys/class/net/*/address
          ip -oneline -4 address; ls /sys/bus/pci/drivers/igbvf /sys/bus/pci/drivers/vfio-pci; }
before=$(state)
"$@" || exit
[ "$before" = "$(state)" ] || { echo "the card is not as it was: $before"; state; exit 9; } >&2
"""

COMPARE = (
    *("isoscope", "compare", "-m", f"network:duration=1,paths={TO_INSTANCE}+{BETWEEN}", "-n", "1"),
    *("-b", CONTAINER, "-b", VM, "-o", "runs/compared"),
)


@pytest.fixture
def run(rig: Rig, tmp_path: Path) -> Run:
    """What is left of it on this host, once the rig has gone."""
    done = rig("run", "--", "sh", "-c", SCRIPT, "sh", *COMPARE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not the speed" in done.stdout
    return Run.load(tmp_path / "runs" / "compared")


def test_functions_of_a_card_prove_themselves_in_a_comparison(run: Run) -> None:
    assert not run.failed
    for variant in (CONTAINER, VM):
        for path in (TO_INSTANCE, BETWEEN):
            labels = value(run, variant, "throughput", path)["labels"]
            assert (labels["network"], labels["link"]) == ("vf", "igb")
            assert labels["network_driver"] == "igbvf"
            assert labels["network_mac"].startswith("02:")
            assert value(run, variant, "packets", path)["value"] > 100
            assert value(run, variant, "packets_per_transaction", path)["value"] >= 2
            assert value(run, variant, "latency.p50", path)["value"] > 0
    labels = value(run, VM, "throughput", BETWEEN)["labels"]
    assert labels["accelerator"] == "kvm", "in there, the processor has SVM"

    assert run.environment["host"]["virtualized"]["signature"] == "TCGTCGTCGTCG"
    page = (run.directory / "report.html").read_text()
    assert ", on an emulated host</h1>" in page
    assert f"{VM} has a virtual function of a card" in page
    # Of each test alone, a host that is busy may have looked too late.
    found = [
        json.loads(file.read_text())["a_second"] for file in (run.directory / "raw/network").glob("*-counters.json")
    ]
    watched = [one for one in found if one is not None]
    assert "vfio-msi" in " ".join(name for one in watched for name in one["interrupts"]), (
        "the function's, for the guest"
    )
    assert any(one["exits"] and one["exits"]["exits"] for one in watched), "KVM counts in debugfs"


def value(run: Run, variant: str, metric: str, path: str) -> dict[str, Any]:
    """The only value of a metric, with its labels."""
    frame = run.trials[~run.trials["warmup"]]
    rows = frame[(frame["variant"] == variant) & (frame["metric"] == f"network.{metric}")]
    [found] = [row for row in rows.to_dict("records") if row["labels"].get("path") == path]
    assert found["status"] == "ok", found["reason"]
    return found
