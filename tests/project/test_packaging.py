"""The wheel holds every file of the packages and nothing else, and works in an environment of its own."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def folders(project: dict[str, Any]) -> set[str]:
    """The folders that are packages of ours."""
    return set(project["tool"]["setuptools"]["package-dir"].values())


@pytest.fixture(scope="session")
def wheel(root: Path, tracked: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, from a copy: setuptools would take up what an earlier build left here."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in tracked:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / path, source / path)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, source, cwd=source)
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def clean_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the wheel and its dependencies, and no trace of this checkout."""
    venv = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=venv)
    python = venv / "bin/python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=venv)
    dependencies = venv / "dependencies"
    dependencies.mkdir()
    for installed in {Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("platlib"))}:
        for entry in installed.iterdir():
            if "isoscope" not in entry.name:
                (dependencies / entry.name).symlink_to(entry)
    [site_packages] = venv.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
    return python


def test_the_list_of_packages_is_that_of_the_folders(
    project: dict[str, Any], folders: set[str], tracked: list[Path]
) -> None:
    found = {".".join(("isoscope", *path.parent.parts)) for path in tracked if path.parts[0] in folders}
    listed = set(project["tool"]["setuptools"]["packages"])
    assert listed == found, f"in pyproject.toml, add {sorted(found - listed)}, remove {sorted(listed - found)}"


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path, folders: set[str], tracked: list[Path]) -> None:
    expected = {f"isoscope/{path}" for path in tracked if path.parts[0] in folders}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())
    assert held == expected


def test_both_archives_hold_what_an_index_of_packages_wants_to_know(wheel: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *wheel.parent.iterdir(), cwd=wheel.parent)
    assert {path.suffix for path in wheel.parent.iterdir()} == {".whl", ".gz"}


def test_the_version_is_the_same_everywhere(
    root: Path, project: dict[str, Any], wheel: Path, clean_python: Path
) -> None:
    version = project["project"]["version"]
    assert wheel.name.startswith(f"isoscope-{version}-")
    assert run(clean_python.parent / "isoscope", "--version", cwd=wheel.parent).split()[-1] == version
    headings = re.findall(r"^## \[([^\]]+)\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert len(headings) == 1 or headings[1] == version  # the first release has none before it
    tags = run("git", "tag", "--points-at", "HEAD", "v*", cwd=root).split()
    assert not tags or tags == [f"v{version}"]


def test_every_module_of_the_wheel_can_be_imported(clean_python: Path, folders: set[str], tmp_path: Path) -> None:
    code = """
import importlib, json, pkgutil
import isoscope
names = [m.name for m in pkgutil.walk_packages(isoscope.__path__, "isoscope.") if not m.name.endswith("__main__")]
print(json.dumps({name: importlib.import_module(name).__file__ for name in names}))
"""
    imported = json.loads(run(clean_python, "-c", code, cwd=tmp_path))
    assert {name.split(".")[1] for name in imported} == folders - {"notebooks"}, "those are lessons, and no modules"
    assert all(Path(file).is_relative_to(clean_python.parents[1]) for file in imported.values())


def test_the_folders_are_no_packages_of_their_own(clean_python: Path, folders: set[str], tmp_path: Path) -> None:
    code = "import importlib.util, sys; sys.exit(any(importlib.util.find_spec(name) for name in sys.argv[1:]))"
    run(clean_python, "-c", code, *sorted(folders), cwd=tmp_path)


def test_the_installed_program_runs_with_every_plugin(
    clean_python: Path, project: dict[str, Any], tmp_path: Path
) -> None:
    code = "from isoscope.core.plugins import plugin_manager as m; print(*(name for name, _ in m().list_name_plugin()))"
    loaded = run(clean_python, "-c", code, cwd=tmp_path).split()
    assert sorted(loaded) == sorted(project["project"]["entry-points"]["isoscope"])
    assert "Usage" in run(clean_python.parent / "isoscope", "--help", cwd=tmp_path)


def test_the_installed_program_has_the_notebooks(clean_python: Path, tracked: list[Path], tmp_path: Path) -> None:
    told = json.loads(run(clean_python.parent / "isoscope", "lab", "--list", "--json", cwd=tmp_path))
    expected = sorted(path.name for path in tracked if path.parts[0] == "notebooks" and path.suffix == ".ipynb")
    assert [one["name"] for one in told] == expected != []


def test_the_lowest_python_is_the_same_everywhere(project: dict[str, Any]) -> None:
    lowest = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["mypy"]["python_version"] == lowest
    assert project["tool"]["ruff"]["target-version"] == f"py{lowest.replace('.', '')}"


def test_everything_that_is_imported_is_declared(root: Path, project: dict[str, Any], folders: set[str]) -> None:
    """A dependency of a dependency may go away with its next release."""
    listed = [*project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        listed += extra
    declared = {requirement.split(">")[0].lower() for requirement in listed}
    providers = packages_distributions()
    undeclared = set()
    for path in (path for folder in folders for path in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"isoscope"}:
                if not {name.lower() for name in providers.get(top, ())} & declared:
                    undeclared.add(f"{path.relative_to(root)}: {top}")
    assert not undeclared, "\n".join(sorted(undeclared))
