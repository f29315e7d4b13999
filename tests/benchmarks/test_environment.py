from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isoscope.benchmarks.harness import environment
from isoscope.benchmarks.harness.others import others
from isoscope.benchmarks.harness.storage import storage
from isoscope.core import Lab
from isoscope.core.registry import Owner


def moment(**changed: Any) -> dict[str, Any]:
    quiet = {
        "busy": 0.01,
        "instances": 0,
        "leftovers": 0,
        "machines": 0,
        "containers": 0,
        "cpu_ticks": {"total": 1000, "steal": 10, "idle": 900},
    }
    return quiet | changed


def test_a_quiet_host_is_not_remarked_upon() -> None:
    assert environment.dirt(moment()) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"busy": 0.6}, "the host is busy: others use 60% of its CPUs"),
        ({"instances": 2}, "2 other instance(s)"),
        ({"machines": 3}, "3 virtual machine(s) of others"),
        ({"containers": 4}, "4 other PID namespace(s)"),
        ({"leftovers": 1}, "isoscope gc removes them"),
    ],
)
def test_a_dirty_host_is_told(changed: dict[str, Any], words: str) -> None:
    [sentence] = environment.dirt(moment(**changed))
    assert words in sentence


def test_cpu_time_that_was_taken_away_is_told() -> None:
    after = moment(cpu_ticks={"total": 2000, "steal": 110})
    assert environment.stolen(moment(), after) == 0.1
    assert environment.theft(0.1) == ["the hypervisor took away 10.0% of the CPU time during the trials"]
    assert environment.theft(0.001) == []
    assert environment.stolen(moment(), moment()) is None
    assert environment.theft(None) == []


def test_work_of_others_is_seen(fake_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "LOOK", 0.5)
    code = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as spinner:
        spinner.stdout.readline()
        busy = environment.moment(fake_lab)["busy"]
        spinner.kill()
    assert busy > 0.8 / (os.cpu_count() or 1)


def test_instances_of_the_living_and_of_the_dead_are_counted_apart(fake_lab: Lab, home: Path) -> None:
    live = fake_lab.registry.create(name="", variant="vm", workload={}, image="")
    dead = fake_lab.registry.create(name="", variant="vm", workload={}, image="")
    dead.owner = Owner(pid=1, start_time=1, boot_id="another")
    dead.save()
    now = environment.moment(fake_lab)
    assert (now["instances"], now["leftovers"]) == (1, 1)
    live.forget()
    dead.forget()


def proc(directory: Path, *processes: tuple[int, str, str, str]) -> Path:
    """A /proc with processes of these pids, names, PID namespaces and command lines; 1 is ourselves."""
    for pid, comm, namespace, cmdline in processes:
        place = directory / str(pid)
        (place / "ns").mkdir(parents=True)
        (place / "comm").write_text(f"{comm}\n")
        (place / "cmdline").write_text(cmdline)
        (place / "cgroup").write_text("0::/\n")
        (place / "ns/pid").symlink_to(f"pid:[{namespace}]")
    (directory / "self").symlink_to("1")
    (directory / "77").mkdir()  # ends while it is looked at
    return directory


def test_machines_and_containers_of_others_are_counted(tmp_path: Path) -> None:
    root = proc(
        tmp_path,
        (1, "python", "1", "isoscope"),
        (2, "qemu-system-x86", "1", "qemu -name guest=web"),
        (3, "qemu-system-x86", "1", "qemu -name guest=isoscope-aabb"),
        (4, "nginx", "5", "nginx"),
        (5, "nginx", "5", "nginx: worker"),
        (6, "sleep", "6", "sleep\0isoscope-aabb"),
    )
    assert others({"isoscope-aabb"}, root) == {"machines": 1, "containers": 1}
    assert others(set(), root) == {"machines": 2, "containers": 2}


def test_this_host_itself_is_no_container_of_others() -> None:
    alone = others(set())
    with subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "sh", "-c", "echo; read x"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as container:  # fmt: skip
        assert container.stdout is not None
        container.stdout.readline()
        found = others(set())
        container.communicate(b"\n")
    assert found["containers"] >= 1
    assert alone.keys() == found.keys()


def test_the_disk_of_a_folder_is_told(tmp_path: Path) -> None:
    number = f"{os.major(tmp_path.stat().st_dev)}:{os.minor(tmp_path.stat().st_dev)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 0:1 / /proc rw - proc proc rw\n2 0 {number} / / rw,noatime shared:1 - ext4 /dev/nvme0n1p2 rw\n"
    )
    disk = tmp_path / "sys/nvme0n1"
    (disk / "queue").mkdir(parents=True)
    (disk / "device").mkdir()
    (disk / "nvme0n1p2").mkdir()
    (disk / "nvme0n1p2/partition").write_text("2\n")
    (disk / "queue/rotational").write_text("0\n")
    (disk / "queue/scheduler").write_text("[none] mq-deadline\n")
    (disk / "queue/write_cache").write_text("write back\n")
    (disk / "device/model").write_text("Fast One\n")
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / number).symlink_to("../sys/nvme0n1/nvme0n1p2")
    assert storage(tmp_path, mounts=mounts, devices=tmp_path / "block") == {
        "filesystem": "ext4",
        "options": "rw,noatime",
        "device": "nvme0n1",
        "model": "Fast One",
        "rotational": False,
        "scheduler": "none",
        "write_cache": "write back",
    }


def test_a_file_system_without_a_disk_has_none(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("")
    found = storage(tmp_path, mounts=tmp_path / "mountinfo", devices=tmp_path / "nonesuch")
    assert set(found.values()) == {None}
    assert storage(Path("/proc"))["filesystem"] == "proc"


def test_what_the_host_is_goes_into_the_run(fake_lab: Lab) -> None:
    found = environment.facts(fake_lab)
    assert found["disk"]["filesystem"] == found["home_filesystem"]
    assert {"governor", "smt", "turbo", "mitigations"} == set(found["cpu"])
    assert {"machines", "containers", "busy", "load", "leftovers"} <= set(environment.moment(fake_lab))
