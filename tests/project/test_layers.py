"""Who may import whom, and that importing the vocabulary stays cheap."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Folder to the folders of ours that it may import. Whoever is not below backends reaches them through hooks alone, but
#: for `testing`, which looks at what they leave on the host.
LAYERS = {
    "core": {"core"},
    "images": {"core", "images"},
    "backends": {"core", "images", "backends"},
    "benchmarks": {"core", "benchmarks"},
    "rig": {"core", "images", "backends", "rig"},
    "testing": {"core", "backends", "testing"},
}

HEAVY = {"IPython", "jinja2", "libvirt", "lxml", "matplotlib", "numpy", "pandas", "pyarrow", "pyroute2", "scipy"}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import in a file, those inside functions and below TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names if module == "isoscope")


@pytest.mark.parametrize("folder", LAYERS)
def test_a_layer_imports_only_what_it_may(folder: str, root: Path) -> None:
    files = sorted((root / folder).rglob("*.py"))
    assert files
    wrong = []
    for path in files:
        for line, name in imports(path):
            parts = name.split(".")
            if parts[0] == "isoscope" and len(parts) > 1 and parts[1] not in LAYERS[folder]:
                wrong.append(f"{path.relative_to(root)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_package_folder_has_its_layer(root: Path) -> None:
    assert {path.parent.name for path in root.glob("*/__init__.py")} == set(LAYERS)


@pytest.mark.parametrize(
    "statement",
    [
        "from isoscope.core import *",
        "from isoscope.core.plugins import plugin_manager; plugin_manager()",
        "from isoscope.core.cli.main import main",
    ],
)
def test_nothing_heavy_is_imported(statement: str, tmp_path: Path) -> None:
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(json.loads(done.stdout))
