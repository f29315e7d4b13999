"""Our own small programs, in C: one file each, compiled when an image that lists it is built.

Static, so that they run in every image; and built with flags and paths that are always the same, so that the same
source and the same compiler give the same bytes, and the image the same digest.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from isoscope.core.errors import HostError, NotFound

SOURCES = Path(__file__).parent

#: No -march: where a program does not choose by itself, every variant runs the same instructions, whatever CPU it is
#: shown; nor may a loop become a call of memcpy(3), which chooses. Stripped: symbols would name the files' paths.
CFLAGS = (
    "-std=gnu11",
    "-D_GNU_SOURCE",
    "-O3",
    "-fno-tree-loop-distribute-patterns",
    "-static",
    "-s",
    "-Wall",
    "-Wextra",
)


_REMEDY = "apt-get install gcc libc6-dev"


def names() -> tuple[str, ...]:
    """The programs that there are, sorted."""
    return tuple(sorted(source.stem for source in SOURCES.glob("*.c")))


def compile_program(name: str, into: Path) -> None:
    """Compile a program of ours to a file. Raises NotFound for an unknown one, HostError without a compiler."""
    if name not in names():
        raise NotFound(f"there is no program {name!r}", hint=f"there are: {', '.join(names())}")
    # From within its directory: the path of the installation must not get into the program.
    done = _gcc(*CFLAGS, "-o", str(into.resolve()), f"{name}.c")
    if done.returncode != 0:
        complaints = [line for line in done.stderr.splitlines() if "error" in line] or [f"status {done.returncode}"]
        raise HostError(f"gcc cannot compile the program {name!r}: {complaints[0]}", hint=_REMEDY)


def compiler() -> str:
    """The compiler and its version, which an image's programs depend on as well. Raises HostError without one."""
    return _gcc("--version").stdout.partition("\n")[0]


def _gcc(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = ["gcc", *arguments]
    try:
        return subprocess.run(command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise HostError(f"cannot compile our programs: gcc: {error.strerror}", hint=_REMEDY) from error
