"""Full disks, killed processes, several at once: the store is as it was, and gets rid of what was left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from isoscope.core.errors import HostError
from isoscope.images.disk import disk_image
from isoscope.images.locks import PREFIX, making, remove_tree, sweep_making
from isoscope.images.store import Store

pytestmark = pytest.mark.root


@pytest.fixture
def small(home: Path) -> Iterator[Store]:
    """A store on a file system of 4 MiB."""
    place = home / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "isoscope-test", place], check=True)
    yield Store(place)
    subprocess.run(["umount", place], check=True)


def noise(megabytes: int) -> bytes:
    return os.urandom(megabytes << 20)


@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_full_disk_leaves_the_store_as_it_was(
    make: Any, small: Store, contents: Any, tmp_path: Path, size: int
) -> None:
    """Too full for the unpacked layer, for the copied blob, for either."""
    small.load(make.layout(tmp_path / "good", make.tar(make.file("a")), names=["good"]))
    ballast = small.home / "ballast"
    ballast.write_bytes(bytes(1 << 20 if size > 1 else 2600 << 10))
    before = contents(small.home)
    with pytest.raises(HostError, match="No space left") as caught:
        small.load(make.layout(tmp_path / "big", make.tar(make.file("big", noise(size)))))
    assert "free some space" in caught.value.hint
    assert contents(small.home) == before
    assert not list(small.home.rglob(f"{PREFIX}*"))
    ballast.unlink()
    assert small.rootfs("good").layers


def test_a_disk_that_is_full_when_an_image_is_unpacked_again(make: Any, small: Store, tmp_path: Path) -> None:
    small.load(make.layout(tmp_path / "source", make.tar(make.file("half", noise(1)))))
    (layer,) = small.rootfs("test").layers
    remove_tree(layer)
    (small.home / "ballast").write_bytes(bytes((2 << 20) + (900 << 10)))
    with pytest.raises(HostError, match="No space left"):
        small.rootfs("test")
    assert not layer.exists()
    (small.home / "ballast").unlink()
    assert (small.rootfs("test").layers[0] / "half").stat().st_size == 1 << 20


def test_a_full_disk_when_a_disk_is_made(make: Any, small: Store, tmp_path: Path) -> None:
    small.load(make.layout(tmp_path / "source", make.tar(make.file("half", noise(1)))))
    (small.home / "ballast").write_bytes(bytes(1 << 20))
    with pytest.raises(HostError, match="cannot make a disk"):
        disk_image(small.rootfs("test"), small.home)
    assert not [path for path in (small.home / "cache/disks").iterdir() if not path.name.endswith(".lock")]


def test_a_store_that_cannot_be_written(make: Any, home: Path, tmp_path: Path) -> None:
    (home / "images").write_text("a file in the way")
    with pytest.raises(HostError, match="image store") as caught:
        Store(home).load(make.layout(tmp_path / "source", make.tar(make.file("a"))))
    assert caught.value.hint


STALLED = """
    import os, sys
    from pathlib import Path
    import isoscope.images.{module} as module
    from isoscope.images.store import Store
    from isoscope.images.disk import disk_image

    def stall(*_args, **_kwargs):
        os.write(1, b"there")
        os.read(0, 1)

    store = Store(Path(sys.argv[1]))
    rootfs = store.rootfs("good")
    module.{function} = stall
    {action}
"""


@pytest.mark.parametrize(
    "stall",
    [
        ("unpack", "extract", "store.load(Path(sys.argv[2]))"),
        ("transaction", "_moves", "store.load(Path(sys.argv[2]))"),
        ("transaction", "tidy", "store.load(Path(sys.argv[2]))"),
        ("load", "_stage_image", "store.load(Path(sys.argv[2]))"),
        ("build", "download", "store.build('base')"),
        ("disk", "_run_mke2fs", "disk_image(rootfs, store.home)"),
        ("disk", "_describe_root", "disk_image(rootfs, store.home)"),
    ],
)
def test_killed_half_way(make: Any, store: Store, contents: Any, tmp_path: Path, stall: tuple[str, str, str]) -> None:
    module, function, action = stall
    store.load(make.layout(tmp_path / "good", make.tar(make.file("a")), names=["good"]))
    before = contents(store.home)
    source = make.layout(tmp_path / "more", make.tar(make.file("b")), names=["more"])
    program = textwrap.dedent(STALLED.format(module=module, function=function, action=action))
    command = [sys.executable, "-c", program, str(store.home), str(source)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"there"
        left = sorted(store.home.rglob(f"{PREFIX}*"))
        assert left
        assert function in ("_moves", "tidy") or store.sweep() == []  # it lives: nothing of it is touched
        assert sorted(store.home.rglob(f"{PREFIX}*")) == left
        process.send_signal(signal.SIGKILL)
    assert store.rootfs("good").layers[0].is_dir()
    assert len(store.sweep()) >= 1
    assert {
        name: value
        for name, value in contents(store.home).items()
        if name not in ("cache/builds", "cache/disks", "cache")
    } == before
    assert store.sweep() == []
    store.load(source)
    assert store.rootfs("more").layers


def test_a_commit_that_fails_moves_everything_back(
    make: Any, store: Store, contents: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.load(make.layout(tmp_path / "good", make.tar(make.file("a")), names=["good"]))
    before = contents(store.home)

    def fail(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("isoscope.images.layout.Layout.write_index", fail)
        with pytest.raises(HostError, match="No space left"):
            store.load(make.layout(tmp_path / "more", make.tar(make.file("b")), names=["more"]))
    assert contents(store.home) == before


def test_mke2fs_dies_with_its_maker(make: Any, store: Store, tmp_path: Path) -> None:
    """A killed process leaves no mount and no process: the command's namespace goes with it, and it with its parent."""
    store.load(make.layout(tmp_path / "good", make.tar(make.file("a")), names=["good"]))
    fake = tmp_path / "bin/mke2fs"
    fake.parent.mkdir()
    os.mkfifo(tmp_path / "fifo")
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/fifo\nexec sleep 1000\n")
    fake.chmod(0o755)
    program = (
        "import sys; from pathlib import Path; from isoscope.images.store import Store\n"
        "from isoscope.images.disk import disk_image\n"
        "store = Store(Path(sys.argv[1])); disk_image(store.rootfs('good'), store.home)"
    )
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    with subprocess.Popen([sys.executable, "-c", program, str(store.home)], env=environment) as process:
        child = os.pidfd_open(int((tmp_path / "fifo").read_text()))
        process.kill()
    assert select.select([child], [], [], 30)[0]  # a pidfd is readable when the process has ended
    os.close(child)
    assert str(store.home) not in Path("/proc/self/mountinfo").read_text()
    assert store.sweep() != []


#: Unpacks an image and makes its disk. A program of its own: a pool's workers would have to import this file, which is
#: in no package.
UNPACK = """
import sys
from pathlib import Path
from isoscope.images.disk import disk_image
from isoscope.images.store import Store
home = Path(sys.argv[1])
rootfs = Store(home).rootfs("test")
print(rootfs.digest, disk_image(rootfs, home), *rootfs.layers, sep="\\n")
"""


def test_many_processes_unpack_the_same_image(make: Any, store: Store, tmp_path: Path) -> None:
    layers = [make.tar(*(make.file(f"{layer}/{n}", bytes(1000)) for n in range(100))) for layer in range(4)]
    store.load(make.layout(tmp_path / "source", *layers))
    remove_tree(store.home / "layers")
    command = [sys.executable, "-c", UNPACK, str(store.home)]
    unpacking = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    results = [tuple(process.communicate()[0].splitlines()) for process in unpacking]
    assert [process.returncode for process in unpacking] == [0] * 8
    assert len(set(results)) == 1
    assert [len(os.listdir(Path(layer) / str(n))) for n, layer in enumerate(results[0][2:])] == [100] * 4


def test_many_threads_load_and_remove(make: Any, store: Store, tmp_path: Path) -> None:
    shared = make.tar(make.file("shared"))
    sources = [
        make.layout(tmp_path / f"s{n}", shared, make.tar(make.file(f"own{n}")), names=[f"i{n}"]) for n in range(8)
    ]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.load, sources))
        assert [row["names"] for row in store.ls()] == [[f"i{n}:latest"] for n in range(8)]
        list(pool.map(store.rm, [f"i{n}" for n in range(7)]))
    assert [os.listdir(layer) for layer in store.rootfs("i7").layers] == [["shared"], ["own7"]]
    store.rm("i7")
    assert not list((store.home / "layers").rglob("shared"))


def test_directories_in_the_making(tmp_path: Path) -> None:
    with making(tmp_path) as mine:
        dead = tmp_path / f"{PREFIX}dead"
        (dead / "below").mkdir(parents=True)
        (tmp_path / "other").mkdir()
        assert sweep_making(tmp_path) == [f"removed {dead}"]
        assert mine.is_dir()
    assert sorted(os.listdir(tmp_path)) == [".lock", "other"]
    assert sweep_making(tmp_path / "nothing") == []
