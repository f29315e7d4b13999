"""Compile an image's Python library with the image's own interpreter, as the packages do when they are installed.

Without it every instance would compile what it imports, and throw it away.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.extract import extract
from isoscope.images.tarstream import entries
from isoscope.images.tree import Tree

_INTERPRETER = re.compile(r"usr/bin/python3\.\d+")
_LIBRARIES = "usr/lib/python3*"


def compile_python(tree: Tree, scratch: Path) -> None:
    """Add `__pycache__` to the libraries of a tree that has a Python; `scratch` gets a copy of the tree.

    Raises HostError when the interpreter does not run.
    """
    programs = [path for path, node in tree.nodes.items() if _INTERPRETER.fullmatch(path) and node.data is not None]
    if not programs:
        return
    root = scratch / "root"
    _materialise(tree, root)
    _compile(root, programs[0])
    for compiled in sorted(root.glob(f"{_LIBRARIES}/**/__pycache__/*.pyc")):
        tree.file(str(compiled.relative_to(root)), compiled.read_bytes())


def _materialise(tree: Tree, root: Path) -> None:
    archive = root.with_suffix(".tar")
    with archive.open("wb") as file:
        tree.write(file, tree.newest())
    root.mkdir()
    with archive.open("rb") as file:
        extract(entries(file, "image"), root, "image")


def _compile(root: Path, program: str) -> None:
    """Run compileall on the image's own dynamic linker and libraries, which takes neither root nor chroot(2)."""
    loader = _dynamic_linker(root)
    directories = [str(path) for path in sorted(root.glob(_LIBRARIES)) if path.is_dir()]
    command = [
        str(loader),
        *("--library-path", str(loader.parent)),
        str(root / program),
        *("-B", "-S", "-m", "compileall", "-qq"),  # -B: what it imports itself is compiled like the rest
        *("--invalidation-mode", "unchecked-hash"),  # no times in the files, and none asked for
        *("-s", str(root), "-p", "/"),
        *directories,
    ]
    environment = {"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: some file is not meant to be compiled, such as lib2to3's test data
        raise HostError(f"the image's Python does not run here: {done.stderr.strip()}", hint="run `apt-get update`")


def _dynamic_linker(root: Path) -> Path:
    for pattern in ("usr/lib/*/ld-linux*.so.*", "usr/lib64/ld-linux*.so.*", "usr/lib/ld-linux*.so.*"):
        for path in sorted(root.glob(pattern)):
            if not path.is_symlink():
                return path
    raise HostError("the image's Python has no dynamic linker", hint="run `apt-get update`, then try again")
