"""The example package is installed as a stranger's would be, into an environment of its own, and used from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "isoscope-example"

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, for a build leaves its traces beside what it builds."""
    return Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("example") / "isoscope-example"))


@pytest.fixture(scope="module")
def python(source: Path) -> Path:
    """The interpreter of an environment with the example in it, and all that is installed here within its reach."""
    directory = source.parent / "venv"
    venv.create(directory, with_pip=False, symlinks=True)
    interpreter = directory / "bin" / "python"
    packages = sysconfig.get_path("purelib", vars={"base": str(directory)})
    here = sysconfig.get_path("purelib")
    # Through addsitedir, because an editable install is itself a .pth file, which a plain path would not read.
    Path(packages, "outer.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", packages]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
    return interpreter


@pytest.fixture
def stranger(python: Path, home: Path):
    """Run a program in that environment; its standard output is returned."""

    def run(*command: str, **environment: str) -> str:
        settings = {name: value for name, value in os.environ.items() if not name.startswith(("ISOSCOPE", "PYTHON"))}
        settings |= {"ISOSCOPE_HOME": str(home), **environment}
        done = subprocess.run(
            [python, *command], env=settings, cwd="/", capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


CLI = "from isoscope.core.cli.main import main; main()"


def test_it_is_listed_and_ready(stranger):
    listed = {entry["name"]: entry for entry in json.loads(stranger("-c", CLI, "backends", "--json"))}
    assert {"process", "container", "vm", "example"} <= set(listed)
    assert listed["example"]["capabilities"]["networks"] == ["host", "none"]


def test_it_runs_a_workload_through_a_lab_and_the_command_line(stranger, stocked_home):
    script = """
from isoscope.core import Lab, Workload
with Lab() as lab, lab.start(Workload(command=["sh", "-c", "echo $$"]), backend="example") as instance:
    assert instance.wait(60).exit_status == 0
    assert list(instance.timeline.phases()) == ["exec", "ready"]
"""
    stranger("-c", script)
    assert stranger("-c", CLI, "run", "--rm", "-b", "example", "--", "sh", "-c", "echo $$").strip() == "1"


def test_its_benchmark_measures_our_backends(stranger, stocked_home, tmp_path):
    words = [
        "-b",
        "process",
        "-b",
        "container",
        "-m",
        "files:walks=2",
        "-n",
        "1",
        "-o",
        str(tmp_path / "run"),
        "--json",
    ]
    summary = json.loads(stranger("-c", CLI, "compare", *words))
    found = {(one["variant"], one["labels"]["walk"]) for one in summary["series"] if one["metric"] == "files.walk"}
    assert found == {("process", 1), ("process", 2), ("container", 1), ("container", 2)}
    assert summary["failures"] == []


def test_it_passes_the_conformance_suite_with_the_public_fixtures(stranger, source, shared_home):
    output = stranger(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", str(source), ISOSCOPE_TESTING_HOME=str(shared_home)
    )
    assert "22 passed" in output


def test_it_is_not_installed_here():
    done = subprocess.run([sys.executable, "-c", "import isoscope_example"], capture_output=True, cwd="/", check=False)
    assert done.returncode == 1
