"""The backend `container` on cgroup v2. Run inside the rig, by `tests/rig/test_rig.py`."""

from __future__ import annotations

from pathlib import Path

from isoscope.core import Lab, Resources, Workload
from isoscope.testing.conformance import BackendConformance


class TestContainer(BackendConformance):
    backend = "container"


def test_its_limits_stand_in_one_cgroup_of_version_2(lab: Lab) -> None:
    limits = Resources(cpus=0.5, memory=64 << 20, pids=20)
    workload = Workload(command=("sh", "-c", "echo ready; exec sleep infinity"), resources=limits)
    with lab.start(workload, "container") as instance:
        [pid, *_] = instance.processes()
        [line] = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        assert line == f"0::/isoscope/{instance.record.mark}"
        cgroup = Path("/sys/fs/cgroup") / line.removeprefix("0::/")
        said = {name: (cgroup / name).read_text().strip() for name in ("cpu.max", "memory.max", "pids.max")}
        assert said == {"cpu.max": "50000 100000", "memory.max": str(64 << 20), "pids.max": "20"}
    assert not cgroup.exists()
