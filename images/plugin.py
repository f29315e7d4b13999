"""What the images bring: the store of a state directory, and the command `image`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from isoscope.core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click
    from isoscope.core.rootfs import ImageStore


@hookimpl
def isoscope_image_store(home: Path) -> ImageStore:
    """The store below `home`."""
    from isoscope.images.store import Store

    return Store(home)


@hookimpl
def isoscope_register_commands(register: Callable[[str, str, Callable[[], click.Command]], None]) -> None:
    """`isoscope image ...`."""
    register("image", "List, build, load and save images.", _command)


def _command() -> click.Command:
    from isoscope.images.cli import image

    return image
