"""The machine that benches run on: what it is, and whether others use it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from subprocess import run
from time import sleep
from typing import Any

#: Seconds of a look at the CPUs.
LOOK = 0.3


def facts() -> dict[str, Any]:
    """What bears on ratios: processor, kernel, Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def busy() -> float:
    """The share of the CPUs that is in use while this process rests; it rests for `LOOK` seconds."""
    before = _ticks()
    sleep(LOOK)
    total, idle = (after - at for after, at in zip(_ticks(), before, strict=True))
    return 1 - idle / total if total else 0.0


def today() -> str:
    """The date, UTC."""
    return datetime.now(UTC).date().isoformat()


def commit(checkout: Path) -> str:
    """The abbreviated commit of a checkout, with a plus sign when files differ from it."""
    done = run(
        ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _ticks() -> tuple[int, int]:
    """All CPUs' time so far, and their idle time: proc_stat(5)."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields), fields[3] + fields[4]
