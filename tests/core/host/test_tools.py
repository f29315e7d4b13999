"""QEMU and libvirt: what their absence and their failures mean, and what is installed here."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from isoscope.core.host import Host, tools
from isoscope.core.host.child import Answer


def emulator(directory: Path, script: str) -> str:
    path = directory / f"qemu-system-{os.uname().machine}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(directory)


def test_qemu_says_its_version(tmp_path: Path) -> None:
    found = tools.qemu(emulator(tmp_path, "echo 'QEMU emulator version 9.1.2 (x)'"))
    assert (found.version, found.reason) == ("9.1.2", "")
    assert found.path == tmp_path / f"qemu-system-{os.uname().machine}"


def test_a_missing_qemu_comes_with_its_package(tmp_path: Path) -> None:
    found = tools.qemu(str(tmp_path))
    assert found.path is None
    assert "not installed" in found.reason
    assert found.remedy.startswith("apt-get install")


@pytest.mark.parametrize(
    ("script", "told"),
    [("echo 'cannot open library' >&2; exit 127", "status 127: cannot open library"), ("echo hello", "status 0")],
)
def test_a_qemu_that_fails(tmp_path: Path, script: str, told: str) -> None:
    found = tools.qemu(emulator(tmp_path, script))
    assert found.version == ""
    assert told in found.reason


def test_a_qemu_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "DEADLINE_S", 0.2)
    assert "timed out" in tools.qemu(emulator(tmp_path, "exec sleep 100")).reason


def test_a_qemu_that_is_no_program(tmp_path: Path) -> None:
    emulator(tmp_path, "")
    (tmp_path / f"qemu-system-{os.uname().machine}").write_bytes(b"\x7fELF")
    assert tools.qemu(str(tmp_path)).reason


def test_libvirt_without_its_module() -> None:
    found = tools.judge_libvirt(Answer({"unimportable": "No module named 'libvirt'"}))
    assert not found.module.available
    assert "pip install" in found.module.remedy
    assert not found.embedded.available


@pytest.mark.parametrize(
    ("failure", "remedy"),
    [
        ("no connection driver available for qemu:///embed", "apt-get install libvirt-daemon-driver-qemu"),
        ("invalid argument: Failed to parse user 'libvirt-qemu'", "useradd"),
        ("something else", ""),
    ],
)
def test_an_embedded_driver_that_does_not_open(failure: str, remedy: str) -> None:
    found = tools.judge_libvirt(Answer({"version": "9.0.0", "opened": False, "failure": failure}))
    assert found.module.available
    assert (found.version, found.embedded.reason) == ("9.0.0", failure)
    assert found.embedded.remedy.startswith(remedy)


@pytest.mark.parametrize("said", [{}, {"version": "9.0.0"}])
def test_a_libvirt_that_hangs_or_crashes(said: dict[str, str]) -> None:
    found = tools.judge_libvirt(Answer(said, "no answer before the deadline", late=True))
    assert not found.embedded.available
    assert found.embedded.reason == "no answer before the deadline"


# On this host


def test_the_qemu_of_this_host(home: Path) -> None:
    found = Host(home).qemu
    assert (found.path is not None) == (shutil.which(f"qemu-system-{os.uname().machine}") is not None)
    assert bool(found.version) == (not found.reason)


def test_the_libvirt_of_this_host(home: Path) -> None:
    found = Host(home).libvirt
    try:
        import libvirt
    except ImportError:
        assert not found.module.available
        return
    number = libvirt.getVersion()
    assert found.version == f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
    assert found.embedded.available or found.embedded.reason
    assert os.listdir(home / "cache") == [], "the driver's directory is gone"
