"""The setup script, the Makefile and the command of continuous integration; nothing is installed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534


def run(*command: str | Path, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)


@pytest.fixture
def bare(root: Path, tmp_path: Path) -> Path:
    """A checkout with the setup script alone."""
    (tmp_path / "tools").mkdir()
    shutil.copy(root / "tools/setup", tmp_path / "tools/setup")
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def program(path: Path, *lines: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


@pytest.mark.root
def test_without_root_it_says_what_to_install_and_installs_nothing(bare: Path) -> None:
    program(bare / "bin/dpkg-query", "echo 'installed gcc'")
    program(bare / "bin/apt-get", "touch ran")
    path = f"{bare}/bin:/usr/bin:/bin"
    done = run(bare / "tools/setup", cwd=bare, env={"PATH": path}, user=NOBODY, group=NOBODY, extra_groups=[])
    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert "not root" in line
    assert "apt-get install" in line
    assert "qemu-system-x86" in line
    assert " gcc" not in line
    assert not (bare / "ran").exists()


def test_another_argument_is_refused(bare: Path) -> None:
    done = run(bare / "tools/setup", "all", cwd=bare)
    assert (done.returncode, done.stderr) == (2, "usage: tools/setup [peers | dev]\n")


def test_every_package_is_asked_for_once(root: Path) -> None:
    groups = re.findall(r'^ *need(?:_offered)? "[^"]+" (.+)$', (root / "tools/setup").read_text(), re.MULTILINE)
    packages = " ".join(groups).split()
    assert len(packages) > 10
    assert len(packages) == len(set(packages))


def test_the_list_of_targets_is_whole(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    shown = [line.split()[0] for line in run("make", "--no-print-directory", "help", cwd=root).stdout.splitlines()]
    assert shown == phony.split() == re.findall(r"^([a-z]+):", makefile, re.MULTILINE)


@pytest.mark.parametrize("status", [0, 5])
def test_integration_runs_the_test_command_and_keeps_its_status(root: Path, tmp_path: Path, status: int) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(root / ".ci/run", tmp_path / ".ci/run")
    (tmp_path / "Makefile").write_text(f"test:\n\t@cat; echo tests ran; exit {status}\n")
    done = run("bash", tmp_path / ".ci/run", cwd=Path("/"), env=os.environ | {"MAKEFLAGS": ""})
    assert "tests ran" in done.stdout
    assert bool(done.returncode) == bool(status)
