"""A real browser, without a window, and runs that nobody measured."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .fake_run import make

#: What somebody could write into a name, a reason or a label: markup, formulas, bars, a reversal, an escape sequence.
HOSTILE = "<script>alert('$x$')</script> | `x` **b** [a](http://evil.example) @all #1 \u202egnp.exe \x1b[31m </style>"

Browse = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every shape, in 10 blocks."""
    return make(tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with names of strangers."""
    return make(tmp_path_factory.mktemp("runs") / "hostile", blocks=3, rename=lambda text: f"{text} {HOSTILE}")


@pytest.fixture(scope="session")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    """Run Chromium on a page, with one profile for all tests."""
    profile = tmp_path_factory.mktemp("profile")

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        command += ["--enable-logging=stderr", "--v=0", f"--user-data-dir={profile}"]
        done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done

    return run


def console(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What pages said on the browser's console."""
    return re.findall(r"CONSOLE[^\"]*\"(.*)\", source:", done.stderr)
