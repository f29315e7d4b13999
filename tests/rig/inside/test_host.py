"""What the emulated host has that hosts of tests lack. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isoscope.core.host import Host
from isoscope.core.host.facts import KvmStatus, Layout

CLI = "import sys; from isoscope.core.cli.main import main; sys.exit(main())"


@pytest.fixture
def host(home: Path) -> Host:
    """Probed anew."""
    host = Host(home)
    host.refresh()
    return host


def test_kvm_is_usable(host: Host) -> None:
    assert host.kvm.status is KvmStatus.USABLE, host.kvm
    assert "kvm_amd" in host.kvm.modules


def test_the_cgroups_are_those_of_version_2_alone(host: Host) -> None:
    assert host.cgroups.layout is Layout.V2
    assert host.cgroups.missing == ()
    assert {host.cgroups.controllers[name].version for name in ("cpu", "memory", "pids")} == {2}


def test_devices_are_in_iommu_groups_and_one_has_virtual_functions(host: Host) -> None:
    assert host.iommu.active
    [card] = [device for device in host.sriov if device.driver == "igb"]
    assert card.total_vfs == 7


def test_doctor_finds_container_and_vm_ready(home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CLI, "doctor", "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["host"]["kvm"]["status"] == "usable"
    lacks = {backend["name"]: backend["lacks"] for backend in told["backends"] if not backend["ready"]}
    assert not lacks.keys() & {"container", "vm"}, lacks
