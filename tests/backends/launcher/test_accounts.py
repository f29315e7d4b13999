"""The image's user, as far as it can be told from the layers alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from isoscope.backends.launcher.accounts import account
from isoscope.core.rootfs import Rootfs

PASSWD = "root:x:0:0::/root:/bin/sh\nada:x:1000:1001::/home/ada:/bin/sh\n"


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """Two layers; the lower one has the files."""
    made = [tmp_path / "lower", tmp_path / "upper"]
    for layer in made:
        (layer / "etc").mkdir(parents=True)
    (made[0] / "etc/passwd").write_text(PASSWD)
    (made[0] / "etc/group").write_text("lab:x:50:ada\n")
    return made


def told(layers: list[Path], user: str = "ada"):
    return account(Rootfs("x", tuple(layers), user=user))


def test_what_is_plain_to_see(layers):
    assert told(layers) == (1000, 1001, (50,), "/home/ada")
    assert told(layers, "") == (0, 0, (), "/root")
    assert told(layers, "7:8") == (7, 8, (), "/")


def test_the_upper_layers_file_counts(layers):
    (layers[1] / "etc/passwd").write_text("ada:x:2:3::/:\n")
    assert told(layers) == (2, 3, (50,), "/")


def test_no_files_at_all_are_plain_to_see(tmp_path):
    assert told([tmp_path], "") == (0, 0, (), "/")


def test_an_unknown_user_is_left_to_the_start(layers):
    assert told(layers, "eve") is None


def to_elsewhere(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def to_a_removed_file(path: Path) -> None:
    os.mknod(path, 0o20000, 0)


@pytest.mark.root
@pytest.mark.parametrize("make", [to_elsewhere, to_a_removed_file, os.mkfifo, os.mkdir, Path.touch])
def test_anything_but_a_plain_file_is_left_to_the_start(layers, make):
    """An empty file may be a whiteout of a store that was made without root."""
    make(layers[1] / "etc/passwd")
    assert told(layers) is None


def test_a_directory_that_is_a_link_is_left_to_the_start(layers):
    (layers[1] / "etc").rmdir()
    (layers[1] / "etc").symlink_to("/etc")
    assert told(layers) is None


@pytest.mark.root
def test_an_opaque_directory_hides_what_is_below(layers):
    os.setxattr(layers[1] / "etc", "trusted.overlay.opaque", b"y")
    assert told(layers, "") == (0, 0, (), "/")
