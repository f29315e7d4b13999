"""The host as a whole: lazy, cheap, silent about nothing, and as it was before."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from isoscope.core.host import Host, child, facts
from isoscope.core.host.host import FACTS
from isoscope.core.host.summary import sections


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every child process that is started."""
    started: list[object] = []
    popen = subprocess.Popen

    def count(command, *rest, **options):
        started.append(command)
        return popen(command, *rest, **options)

    monkeypatch.setattr(subprocess, "Popen", count)
    return started


def test_making_one_touches_nothing(tmp_path: Path, asked: list[object]) -> None:
    Host(tmp_path / "home")
    assert not (tmp_path / "home").exists()
    assert not asked


def test_importing_it_imports_no_probe(tmp_path: Path) -> None:
    code = "import isoscope.core.host, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not [name for name in done.stdout.split() if name.startswith(("ctypes", "isoscope.core.host.probes"))]


def test_each_fact_is_probed_once(home: Path, asked: list[object]) -> None:
    host = Host(home)
    assert host.seccomp is host.seccomp
    assert len(asked) == 1
    host.refresh()
    assert host.seccomp.available
    assert len(asked) == 2


def test_all_facts_are_plain_data(home: Path) -> None:
    told = json.loads(json.dumps(Host(home).as_dict()))
    assert tuple(told) == FACTS
    assert told["kvm"]["status"] in list(facts.KvmStatus)
    assert {"usable", "reason", "modules"} <= told["kvm"].keys()
    assert isinstance(told["cpu"]["smt"], bool | None)
    assert isinstance(told["privileges"]["root"], bool)


def test_every_fact_is_listed() -> None:
    public = {name for name, value in vars(Host).items() if not name.startswith("_") and hasattr(value, "attrname")}
    assert public == set(FACTS)


def children() -> set[str]:
    return {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


def test_probing_leaves_the_host_as_it_was(home: Path) -> None:
    before = children()  # other parts of this process may have some
    host = Host(home)
    host.refresh()
    host.probe()
    assert children() <= before
    assert not list(Path("/sys/fs/cgroup").glob(f"**/isoscope-probe-{os.getpid()}-*"))
    assert not {"isoscope-br", "isoscope-a", "isoscope-b", "isoscope-tap"} & {name for _, name in socket.if_nameindex()}
    assert "isoscope-probe" not in Path("/proc/self/mountinfo").read_text()
    assert {path.name for path in (home / "cache").iterdir()} <= {"kvm.json"}


@pytest.mark.root
def test_probing_leaves_no_table(home: Path) -> None:
    assert Host(home).networking.netlink.available
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    assert "isoscope-probe" not in tables.stdout


GARBAGE = dict.fromkeys(
    (
        "proc/cpuinfo",
        "proc/meminfo",
        "proc/cgroups",
        "proc/self/status",
        "proc/self/cgroup",
        "proc/self/mountinfo",
        "proc/sys/kernel/cap_last_cap",
        "etc/os-release",
        "sys/class/iommu",
        "sys/bus/pci/devices/0000:00:00.0/sriov_totalvfs",
        "sys/class/dmi/id/sys_vendor",
        "dev/kvm",
    ),
    "\x00garbage: \xff\n-1 : :: = -\n",
)


@pytest.mark.parametrize("files", [{}, GARBAGE], ids=["nothing", "garbage"])
def test_no_fact_raises(home: Path, tree, files: dict[str, str]) -> None:
    host = Host(home, root=tree(files))
    host.as_dict()
    assert host.kvm.status is facts.KvmStatus.ABSENT
    assert all(row.text or row.good for section in sections(host) for row in section.rows if row.name != "processor")


def test_no_fact_raises_when_nothing_can_be_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_BOOT", "raise SystemExit(9)")
    monkeypatch.setenv("PATH", "/nonexistent")
    host = Host(home)
    host.refresh()
    host.probe()
    assert host.kvm.status is facts.KvmStatus.ABSENT
    assert not any(feature.available for feature in host.namespaces.values())
    for section in sections(host):
        for row in section.rows:
            assert row.text, f"{row.name} is not available, and does not say why"
