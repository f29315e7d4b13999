from __future__ import annotations

import os
from pathlib import Path

import pytest
from isoscope.backends.launcher.files import discard


def test_what_is_not_there_is_no_error(tmp_path: Path):
    discard(str(tmp_path / "nothing"))


def test_everything_goes_and_nothing_outside_does(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    top = tmp_path / "top"
    (top / "a/b/c").mkdir(parents=True)
    (top / "a/b/file").touch()
    (top / "a/link").symlink_to(outside)
    (top / "link").symlink_to(outside)
    os.mkfifo(top / "a/fifo")
    (top / "a/b").chmod(0)
    top.chmod(0)
    discard(str(top))
    assert not top.exists()
    assert (outside / "kept").exists()


def test_a_link_in_the_place_of_the_directory_is_not_followed(tmp_path: Path):
    (tmp_path / "outside/inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError):
        discard(str(tmp_path / "link"))
    assert (tmp_path / "outside/inner").exists()


def test_directories_nested_deeper_than_the_stack_and_the_descriptors_reach(tmp_path: Path):
    top = tmp_path / "top"
    top.mkdir()
    at = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    discard(str(top))
    assert not top.exists()
