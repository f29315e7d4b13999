"""The initrd: our init, and the kernel modules that it loads, in the order in which it loads them."""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path

import zstandard
from isoscope.images.guest.tools import run

INIT_SOURCES = Path(__file__).parent / "init"
_CFLAGS = ("-std=gnu11", "-D_GNU_SOURCE", "-Os", "-s", "-static", "-Wall", "-Wextra")


def compile_init(into: Path) -> None:
    """Compile the init. Raises HostError with the compiler's complaint."""
    compile_c(sorted(INIT_SOURCES.glob("*.c")), into)


def compile_c(sources: Sequence[Path], into: Path) -> None:
    """Compile a static program that a guest's process 1 can be. Raises HostError with the compiler's complaint."""
    run("gcc", *_CFLAGS, "-o", into, *sources)


def closure(tree: Path, release: str, module: str) -> list[Path]:
    """The files to load for a module, what it depends on first; none for what is built into the kernel.

    `tree` holds `lib/modules/RELEASE` with what depmod(8) made. Raises HostError for a module that does not exist.
    """
    # The host's own modprobe.d(5) must have no say: hence the empty configuration.
    lines = run("modprobe", "-C", "/dev/null", "-d", tree, "-S", release, "--show-depends", module).splitlines()
    return [Path(words[1]) for words in map(str.split, lines) if words[0] == "insmod"]


def add_modules(tree: Path, release: str, groups: Mapping[str, tuple[str, ...]], into: Path) -> None:
    """Copy the modules of each group to `into/GROUP/NN-name.ko`, uncompressed. Raises HostError.

    `tree` is as for `closure`; what the group `boot` loads is left out of the others.
    """
    always: list[Path] = []
    for group, modules in groups.items():
        paths = [path for module in modules for path in closure(tree, release, module) if path not in always]
        if group == "boot":
            always = paths
        (into / group).mkdir(parents=True)
        for order, path in enumerate(dict.fromkeys(paths)):
            (into / group / f"{order:02}-{path.name.partition('.')[0]}.ko").write_bytes(_module(path))


def pack(tree: Path, archive: Path) -> None:
    """Write a directory as a cpio archive in the kernel's format (initramfs buffer format, newc)."""
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    text = "".join(f"{name}\n" for name in names)
    run("cpio", "--create", "--format=newc", "--owner=0:0", "--quiet", "-F", archive, cwd=tree, given=text)


def _module(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".zst":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data
