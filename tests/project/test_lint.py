"""Formatting, lints, types, and what must not stand in any file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("core", "images", "backends", "benchmarks", "rig", "testing")


def run(*command: str, cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=os.environ | environment, capture_output=True, text=True
    )
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}", pytrace=False)


def test_lints(root: Path) -> None:
    run("ruff", "check", "--quiet", ".", cwd=root)


def test_formatting(root: Path) -> None:
    run("ruff", "format", "--quiet", "--diff", ".", cwd=root)


def test_types(root: Path) -> None:
    # A tree of links gives the import path to mypy whichever way the project is installed; mypy's cache knows files by
    # their path, so it stands beside the cache.
    tree = root / ".mypy_cache/tree"
    (tree / "isoscope").mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        link = tree / "isoscope" / name
        link.unlink(missing_ok=True)
        link.symlink_to(root / name)
    packages = [word for name in PACKAGES for word in ("-p", f"isoscope.{name}")]
    run("mypy", "--no-error-summary", *packages, cwd=root, MYPYPATH=str(tree))


def test_no_hosts_and_no_paths_of_this_machine(root: Path, tracked: list[Path]) -> None:
    words = [*package_hosts(), f"{root}/"]
    forbidden = re.compile("|".join(rf"(?<![\w.-]){re.escape(word)}" for word in words))
    found = [
        f"{path}:{number}: {line.strip()}"
        for path in tracked
        for number, line in enumerate((root / path).read_text(errors="replace").splitlines(), start=1)
        if forbidden.search(line)
    ]
    assert not found, "package hosts, or paths of this machine:\n" + "\n".join(found)


def package_hosts() -> Iterator[str]:
    """The hosts that apt and pip are configured with here."""
    pip = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    apt = Path("/etc/apt")
    sources = [apt / "sources.list", *apt.glob("sources.list.d/*")]
    texts = [pip.stdout, *(path.read_text() for path in sources if path.is_file())]
    for text in texts:
        active = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        yield from re.findall(r"https?://(?:[^/@\s]*@)?([\w.-]+\.\w+)", active)
