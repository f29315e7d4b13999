"""What a workload runs on, as a backend sees it: a stack of directories, wherever they came from.

A backend takes a `Rootfs` and never asks for an image by name, so that a bundle of an OCI runtime or a directory
prepared by someone else can stand in for an image of our own store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Rootfs:
    """Unpacked layers and the defaults that come with them.

    `layers` are directories, lowest first, ready to be overlayfs lower directories: whiteouts are character devices
    0:0 (or, made without root, `user.overlay.whiteout` files) as in Documentation/filesystems/overlayfs.rst.
    `digest` names the content; equal digests mean equal trees.
    """

    digest: str
    layers: tuple[Path, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    user: str = ""


class ImageStore(Protocol):
    """What the lab asks of an image store."""

    def rootfs(self, reference: str) -> Rootfs:
        """The unpacked image, built first when it is one that we ship. Raises NotFound or ImageError."""

    def ls(self) -> list[dict[str, Any]]:
        """The images in the store, as plain data."""

    def sweep(self) -> list[str]:
        """Remove what an interrupted build or load left behind. Returns a line for each thing removed."""
