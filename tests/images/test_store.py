"""Names, listings and removal."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isoscope.core.errors import HostError, ImageError, InputError, NotFound
from isoscope.core.registry import Registry
from isoscope.images import store as store_module
from isoscope.images import unpack as unpack_module
from isoscope.images.disk import disk_image
from isoscope.images.store import Store

pytestmark = pytest.mark.root


@pytest.fixture
def shared(make: Any, store: Store, tmp_path: Path) -> Store:
    """Images `one` (also `uno`) and `two`, which share their first layer."""
    first, second = make.tar(make.file("first")), make.tar(make.file("second"))
    layout = make.layout(tmp_path / "shared", first, names=["one", "uno"])
    store.load(make.layout(layout, first, second, names=["two"]))
    return store


def test_an_empty_store(store: Store) -> None:
    assert store.ls() == []
    assert store.sweep() == []
    assert list(store.home.iterdir()) == []  # looking makes nothing
    for call in (store.rootfs, store.find, store.inspect, store.rm):
        with pytest.raises(NotFound, match="there is no image 'nope'") as caught:
            call("nope")
        assert "base" in caught.value.hint


@pytest.mark.parametrize("reference", ["", "../etc", "A", "a b", "-x"])
def test_what_cannot_name_an_image(store: Store, reference: str) -> None:
    with pytest.raises(InputError):
        store.rootfs(reference)


def test_references(shared: Store) -> None:
    one, two = shared.find("one").digest, shared.find("two").digest
    assert one != two
    for reference in ("one", "one:latest", "uno", "docker.io/library/one", one, one[:12], one[7:17]):
        assert shared.find(reference).digest == one
    for reference in ("one:v2", "sha256:" + "0" * 64, "sha256:", "sha256:zzzz"):
        with pytest.raises(InputError):
            shared.find(reference)


def test_an_ambiguous_digest(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoscope.images.store._matches", lambda digest, prefix: prefix == "abcd")
    with pytest.raises(InputError, match="start of 2 digests"):
        shared.find("abcd")


def test_a_name_goes_before_a_digest(shared: Store) -> None:
    start = shared.find("two").digest[7:13]
    shared.tag("one", start)
    assert shared.find(start).digest == shared.find("one").digest


def test_layers_are_shared_and_read_by_their_owner_only(shared: Store) -> None:
    one, two = shared.rootfs("one"), shared.rootfs("two")
    assert two.layers[0] == one.layers[0]
    assert len(two.layers) == 2
    assert [os.listdir(layer) for layer in two.layers] == [["first"], ["second"]]
    # Unpacked setuid programs are not for the host's other users.
    assert stat.S_IMODE((shared.home / "layers").stat().st_mode) == 0o700
    assert stat.S_IMODE((shared.home / "images").stat().st_mode) == 0o700


def test_ls_and_inspect_agree(shared: Store) -> None:
    rows = shared.ls()
    assert [row["names"] for row in rows] == [["one:latest", "uno:latest"], ["two:latest"]]
    for row in rows:
        facts = shared.inspect(row["digest"])
        assert {key: facts[key] for key in row} == row
        assert facts["size"] > sum(layer["size"] for layer in facts["layers"])
        assert all(Path(layer["directory"]).is_dir() for layer in facts["layers"])
    json.dumps([rows, facts])


def test_tag_takes_a_name_over(shared: Store) -> None:
    shared.tag("two", "one")
    assert shared.find("one").digest == shared.find("two").digest
    assert shared.find("uno").digest != shared.find("two").digest
    with pytest.raises(InputError):
        shared.tag("one", "No Name")
    with pytest.raises(NotFound):
        shared.tag("nope", "name")


def test_an_image_that_loses_its_name_stays(make: Any, shared: Store, tmp_path: Path) -> None:
    digest = shared.find("two").digest
    shared.load(make.layout(tmp_path / "new", make.tar(make.file("new")), names=["two"]))
    assert shared.find("two").digest != digest
    assert [row["names"] for row in shared.ls() if row["digest"] == digest] == [[]]
    assert shared.rootfs(digest).layers


def test_rm_of_a_name_keeps_the_image_while_it_has_another(shared: Store, contents: Any) -> None:
    digest = shared.find("one").digest
    assert shared.rm("one") == ["removed name one:latest"]
    assert shared.find("uno").digest == digest
    with pytest.raises(NotFound):
        shared.find("one")


def test_rm_removes_what_nobody_else_needs(make: Any, shared: Store, contents: Any) -> None:
    disk = disk_image(shared.rootfs("two"), shared.home)
    kept = shared.rootfs("one").layers
    gone = shared.rootfs("two").layers[1]
    assert any(line.startswith("removed layer") for line in shared.rm("two"))
    assert kept[0].is_dir()
    assert not gone.exists()
    assert not disk.exists()
    shared.rm(shared.find("one").digest)  # by digest: with all its names
    assert shared.ls() == []
    assert [name for name in contents(shared.home) if "sha256/" in name] == []


def test_rm_refuses_while_an_instance_uses_the_image(shared: Store) -> None:
    digest = shared.find("two").digest
    record = Registry(shared.home).create(name="user", variant="null", workload={}, image=digest)
    with pytest.raises(InputError, match="used by instance 'user'"):
        shared.rm("two")
    assert shared.rootfs("two").digest == digest
    shared.tag("two", "other")
    assert shared.rm("two") == ["removed name two:latest"]  # a name is no image
    record.forget()
    shared.rm("other")


def test_layers_that_went_are_unpacked_again(shared: Store) -> None:
    import shutil

    before = shared.rootfs("two")
    shutil.rmtree(shared.home / "layers")
    assert shared.rootfs("two") == before
    assert [os.listdir(layer) for layer in before.layers] == [["first"], ["second"]]


def test_equal_content_has_equal_digests_whatever_its_name(make: Any, shared: Store, tmp_path: Path) -> None:
    shared.load(make.layout(tmp_path / "again", make.tar(make.file("first")), names=["again"]))
    assert shared.find("again").digest == shared.find("one").digest


def test_saved_and_loaded_is_the_same(shared: Store, home: Path, tmp_path: Path) -> None:
    shared.save(["two", "one"], tmp_path / "a.tar")
    shared.save(["two", "one"], tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    other = Store(home / "other")
    other.load(tmp_path / "a.tar")
    assert other.ls() == shared.ls()


def test_save_writes_all_or_nothing(shared: Store, tmp_path: Path) -> None:
    target = tmp_path / "saved.tar"
    target.write_text("precious")
    with pytest.raises(NotFound):
        shared.save(["one", "nope"], target)
    layer = shared.layout.blob(shared.inspect("two")["layers"][1]["digest"])
    layer.write_bytes(bytes(layer.stat().st_size))
    with pytest.raises(InputError, match="damaged"):
        shared.save(["two"], target)
    assert target.read_text() == "precious"
    assert os.listdir(tmp_path) == ["saved.tar"] or sorted(os.listdir(tmp_path)) == ["saved.tar", "shared"]


def test_save_writes_through_a_link_and_leaves_it(shared: Store, tmp_path: Path) -> None:
    """Of /dev/stdout with output that goes to a file, the link would be replaced, for the whole host."""
    link, behind = tmp_path / "stdout", tmp_path / "behind"
    behind.write_text("longer than nothing")
    link.symlink_to(behind)
    shared.save(["one"], link)
    assert link.is_symlink()
    shared.save(["one"], tmp_path / "direct")
    assert behind.read_bytes() == (tmp_path / "direct").read_bytes()


def test_save_writes_to_no_file_that_somebody_has_put_there(shared: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".saved.tar.isoscope-{os.getpid()}").symlink_to(victim)
    shared.save(["one"], tmp_path / "saved.tar")
    assert victim.read_text() == "precious"


def test_a_failed_save_leaves_nothing_beside_its_target(shared: Store, tmp_path: Path) -> None:
    layer = shared.layout.blob(shared.inspect("two")["layers"][1]["digest"])
    layer.write_bytes(bytes(layer.stat().st_size))
    (tmp_path / "into").mkdir()
    with pytest.raises(ImageError, match="damaged"):
        shared.save(["two"], tmp_path / "into" / "saved.tar")
    assert os.listdir(tmp_path / "into") == []


def test_an_image_that_goes_while_it_is_named_is_not_named(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = store_module.locked

    def slow(path: Path) -> Any:
        monkeypatch.undo()
        Store(shared.home).rm("two")
        return real(path)

    monkeypatch.setattr(store_module, "locked", slow)
    with pytest.raises(NotFound):
        shared.tag("two", "deux")
    assert [row["names"] for row in shared.ls()] == [["one:latest", "uno:latest"]]


def test_a_load_that_fails_at_its_end_leaves_the_store_as_it_was(
    make: Any, shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when half of it has been moved."""
    layout = make.layout(tmp_path / "new", make.tar(make.file("x")), make.tar(make.file("y")), names=["new"])
    places = [shared.layers / "sha256", shared.layout.root / "blobs/sha256"]
    before = [sorted(os.listdir(place)) for place in places]
    real, left = Path.rename, 0

    def rename(self: Path, target: Path) -> Path:
        nonlocal left
        if Path(target).parent in places:
            left -= 1
            if left == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    for number in range(1, 7):  # two layers, and their blobs with those of the manifest and the configuration
        left = number
        with pytest.raises(HostError, match="No space"):
            shared.load(layout)
        assert [sorted(os.listdir(place)) for place in places] == before
    shared.load(layout)


def test_a_load_above_layers_that_go_meanwhile_is_refused(
    make: Any, shared: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a layer hides is looked up in those below it: without them it would be another layer."""
    first = make.tar(make.directory("d"), make.file("d/old"))
    shared.load(make.layout(tmp_path / "below", first, names=["below"]))
    above = make.layout(tmp_path / "above", first, make.tar(make.whiteout("d/old")), names=["above"])
    real = unpack_module.unpack

    def late(*arguments: Any, **more: Any) -> None:
        monkeypatch.undo()
        Store(shared.home).rm("below")
        real(*arguments, **more)

    monkeypatch.setattr(unpack_module, "unpack", late)
    with pytest.raises(HostError, match="layers were needed"):
        shared.load(above)
    shared.load(above)
    assert (shared.rootfs("above").layers[1] / "d/old").is_char_device()


def test_what_every_command_imports_is_light() -> None:
    program = "import sys, isoscope.images.store; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["tarfile", "zstandard", "tomllib", "gzip", "subprocess", "isoscope.images.extract", "rich"]
    done = subprocess.run([sys.executable, "-c", program, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
