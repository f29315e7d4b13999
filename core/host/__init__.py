"""What this host can do, found out by doing."""

from __future__ import annotations

from pathlib import Path


class Host:
    """Placeholder while probing is written."""

    def __init__(self, home: Path) -> None:
        self.home = home
