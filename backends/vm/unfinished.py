"""What a killed process left half-written in a cache."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

PREFIX = "new-"  #: of everything that is not in its place yet

_IN_THE_MAKING = 60  #: seconds: nothing takes longer


def sweep(directory: Path) -> list[str]:
    """Remove it. Returns a line for each thing removed."""
    lines = []
    for path in sorted(directory.glob(f"{PREFIX}*")):
        if time.time() - path.lstat().st_mtime > _IN_THE_MAKING:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            lines.append(f"removed unfinished {path}")
    return lines
