"""Mounts overlayfs in a mount namespace of its own and does on it what the layers of an image ask for."""

from __future__ import annotations

import os
from pathlib import Path

from isoscope.core.host.probes import libc
from isoscope.core.host.probes.report import attempt
from isoscope.core.host.probes.user import enter


def main(arguments: list[str]) -> None:
    """Work in the directory of the first argument; `user` as the second means in a user namespace."""
    directory, mode = arguments
    os.chdir(directory)
    for name in ("lower/directory", "upper", "work", "merged"):
        Path(name).mkdir(parents=True)
    Path("lower/directory/file").write_text("lower")
    if attempt("namespace", _enter, ("user", "mnt") if mode == "user" else ("mnt",)):
        attempt("mount", _mount, "userxattr" if os.geteuid() or mode == "user" else "")
        attempt("use", _use)


def _enter(kinds: tuple[str, ...]) -> None:
    if "user" in kinds:
        enter(kinds)
    else:
        libc.unshare(libc.CLONE_NEW["mnt"])
    libc.mount("none", "/", "", libc.MS_REC | libc.MS_PRIVATE)


def _mount(option: str) -> None:
    # Relative paths need no escapes.
    options = ["lowerdir=lower", "upperdir=upper", "workdir=work", *filter(None, [option])]
    libc.mount("isoscope-probe", "merged", "overlay", data=",".join(options))


def _use() -> None:
    directory = Path("merged/directory")
    (directory / "file").write_text("upper")  # copy up
    (directory / "file").unlink()  # whiteout
    directory.rmdir()
    directory.mkdir()  # opaque, which takes an extended attribute
    if os.listdir(directory) or Path("lower/directory/file").read_text() != "lower":
        raise OSError(0, "a removed file is still there", "overlay")
