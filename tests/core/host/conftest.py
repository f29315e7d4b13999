"""Trees that stand in for another host's /proc, /sys and /etc."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Tree = Callable[[dict[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Makes a root directory from paths and texts; a path that ends in / is a directory, `-> X` a link to X."""

    def make(files: dict[str, str]) -> Path:
        root = tmp_path / "root"
        root.mkdir()
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            elif text.startswith("-> "):
                path.symlink_to(text.removeprefix("-> "))
            else:
                path.write_text(text)
        return root

    return make
