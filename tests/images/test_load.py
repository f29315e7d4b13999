"""Images come in from every format, and from sources that are not whole."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isoscope.core.errors import ImageError, InputError, NotFound
from isoscope.images.oci import host_architecture
from isoscope.images.store import Store

pytestmark = pytest.mark.root


@pytest.fixture
def source(make: Any, tmp_path: Path) -> Path:
    layer = make.tar(make.directory("etc"), make.file("etc/hosts", b"hosts" * 1000))
    return make.layout(tmp_path / "source", layer)  # type: ignore[no-any-return]


def docker_archive(make: Any, target: Path, *layers: bytes, names: list[str] | None = None, **manifest: Any) -> Path:
    """As `docker save` before 25 writes it: layers in directories, and a link where one is there twice."""
    conf = {
        "architecture": host_architecture(),
        "os": "linux",
        "config": {"Entrypoint": ["/bin/tool"], "Cmd": ["-x"], "WorkingDir": "/srv", "User": "5", "Env": ["P=q"]},
        "rootfs": {"type": "layers", "diff_ids": [make.digest(layer) for layer in layers]},
    }
    with tarfile.open(target, "w") as archive:
        seen: dict[bytes, str] = {}
        paths = []
        for number, layer in enumerate(layers):
            info = tarfile.TarInfo(f"id{number}/layer.tar")
            paths.append(info.name)
            if layer in seen:
                info.type, info.linkname = tarfile.SYMTYPE, f"../{seen[layer]}"
                archive.addfile(info)
                continue
            seen[layer] = info.name
            info.size = len(layer)
            archive.addfile(info, io.BytesIO(layer))
        entry = {"Config": "conf.json", "RepoTags": names or ["tool:v1"], "Layers": paths, **manifest}
        for name, data in (("conf.json", json.dumps(conf)), ("manifest.json", json.dumps([entry]))):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data.encode()))
    return target


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_of_a_layout(make: Any, store: Store, source: Path, tmp_path: Path, mode: str) -> None:
    (digest,) = store.load(make.archive(source, tmp_path / "source.tar", mode))
    rootfs = store.rootfs("test")
    assert rootfs.digest == digest
    assert (rootfs.command, dict(rootfs.environment)) == (("/bin/sh",), {"A": "b"})
    assert (rootfs.layers[0] / "etc/hosts").read_bytes() == b"hosts" * 1000


def test_an_archive_through_a_fifo(make: Any, store: Store, source: Path, tmp_path: Path) -> None:
    archive = make.archive(source, tmp_path / "source.tar").read_bytes()
    os.mkfifo(tmp_path / "fifo")
    if os.fork() == 0:
        (tmp_path / "fifo").write_bytes(archive)
        os._exit(0)
    store.load(tmp_path / "fifo")
    os.wait()
    assert store.inspect("test")["platform"] == f"linux/{host_architecture()}"


def test_a_docker_archive(make: Any, store: Store, merged: Any, tmp_path: Path) -> None:
    one, two = make.tar(make.file("a"), make.file("b")), make.tar(make.whiteout("a"))
    archive = docker_archive(make, tmp_path / "docker.tar", one, two, one)
    store.load(archive)
    rootfs = store.rootfs("tool:v1")
    assert rootfs.command == ("/bin/tool", "-x")
    assert (rootfs.working_directory, rootfs.user, dict(rootfs.environment)) == ("/srv", "5", {"P": "q"})
    assert sorted(merged(rootfs.layers)) == ["a", "b"]
    assert sorted(merged(rootfs.layers[:2])) == ["b"]


def test_a_docker_archive_that_was_compressed(make: Any, store: Store, tmp_path: Path) -> None:
    archive = docker_archive(make, tmp_path / "docker.tar", make.tar(make.file("a")))
    archive.write_bytes(gzip.compress(archive.read_bytes()))
    store.load(archive)
    assert store.find("tool:v1")


def test_the_name_that_docker_25_writes(make: Any, store: Store, source: Path) -> None:
    (entry,) = make.entries(source)
    entry["annotations"] = {
        "io.containerd.image.name": "docker.io/library/thing:3",
        "org.opencontainers.image.ref.name": "3",
    }
    make.index(source, entry)
    store.load(source)
    assert store.ls()[0]["names"] == ["thing:3"]


def test_a_name_of_ones_own(make: Any, store: Store, source: Path, tmp_path: Path) -> None:
    store.load(source, "mine")
    assert store.ls()[0]["names"] == ["mine:latest"]
    make.layout(source, make.tar(make.file("other")), names=["other"])
    with pytest.raises(InputError, match="one name"):
        store.load(source, "mine")


def test_several_images_and_names(make: Any, store: Store, source: Path) -> None:
    make.layout(source, make.tar(make.file("other")), names=["x:1", "x:2"])
    make.layout(source, make.tar(make.file("nameless")), names=[])
    assert len(store.load(source)) == 3
    assert [row["names"] for row in store.ls()] == [["test:latest"], ["x:1", "x:2"], []]


def test_a_name_that_is_none_is_left_out(make: Any, store: Store, source: Path) -> None:
    (entry,) = make.entries(source)
    make.index(source, {**entry, "annotations": {"org.opencontainers.image.ref.name": "../../Etc"}})
    (digest,) = store.load(source)
    assert store.ls()[0]["names"] == []
    assert store.rootfs(digest[:19]).digest == digest


def test_the_image_for_this_machine_is_chosen(make: Any, store: Store, tmp_path: Path) -> None:
    layout = make.layout(tmp_path / "s", make.tar(make.file("theirs")), names=[], architecture="s390x")
    make.layout(layout, make.tar(make.file("ours")), names=[])
    theirs, ours = make.entries(layout)
    attestation = {**theirs, "platform": {"os": "unknown", "architecture": "unknown"}}
    inner = make.blob(
        layout,
        json.dumps(
            {
                "schemaVersion": 2,
                "manifests": [
                    attestation,
                    {**theirs, "platform": {"os": "linux", "architecture": "s390x"}},
                    {**ours, "platform": {"os": "linux", "architecture": host_architecture()}},
                ],
            }
        ).encode(),
        "application/vnd.oci.image.index.v1+json",
    )
    make.index(layout, {**inner, "annotations": {"org.opencontainers.image.ref.name": "multi"}})
    assert store.load(layout) == [ours["digest"]]
    assert os.listdir(store.rootfs("multi").layers[0]) == ["ours"]


def test_no_image_for_this_machine(make: Any, store: Store, tmp_path: Path) -> None:
    layout = make.layout(tmp_path / "s", make.tar(make.file("theirs")), architecture="s390x")
    with pytest.raises(ImageError, match="no image for linux/") as caught:
        store.load(layout)
    assert "linux/s390x" in caught.value.hint


def test_an_archive_of_docker_may_hold_images_for_other_machines(make: Any, store: Store, tmp_path: Path) -> None:
    layer = make.tar(make.file("ours"))
    archive = docker_archive(make, tmp_path / "a.tar", layer)
    members: dict[str, bytes] = {}
    with tarfile.open(archive) as read:
        for member in read:
            members[member.name] = read.extractfile(member).read()  # type: ignore[union-attr]
    (entry,) = json.loads(members["manifest.json"])
    theirs = {**json.loads(members["conf.json"]), "architecture": "s390x"}
    members["theirs.json"] = json.dumps(theirs).encode()
    other = {**entry, "Config": "theirs.json", "RepoTags": ["theirs:v1"], "Layers": ["not/there"]}
    for images in ([other, entry], [entry, other], [other]):
        members["manifest.json"] = json.dumps(images).encode()
        with tarfile.open(archive, "w") as write:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                write.addfile(info, io.BytesIO(data))
        if images == [other]:
            with pytest.raises(ImageError, match="no image for linux/") as caught:
                store.load(archive)
            assert "linux/s390x" in caught.value.hint
        else:
            assert len(store.load(archive)) == 1
            assert [row["names"] for row in store.ls()] == [["tool:v1"]]


@pytest.mark.parametrize("compression", ["", "gzip", "zstd"])
def test_layers_of_every_compression(make: Any, store: Store, tmp_path: Path, compression: str) -> None:
    store.load(make.layout(tmp_path / "s", make.tar(make.file("a", b"x" * 100_000)), compression=compression))
    assert (store.rootfs("test").layers[0] / "a").read_bytes() == b"x" * 100_000


def test_gzip_in_several_members(make: Any, store: Store, tmp_path: Path) -> None:
    layer = make.tar(make.file("a"), make.file("b"))
    make.compress = lambda data, how: gzip.compress(data[:700]) + gzip.compress(data[700:])
    try:
        store.load(make.layout(tmp_path / "s", layer))
    finally:
        del make.compress
    assert sorted(os.listdir(store.rootfs("test").layers[0])) == ["a", "b"]


def _documents(source: Path) -> dict[str, Path]:
    index = json.loads((source / "index.json").read_text())
    manifest = source / "blobs" / index["manifests"][0]["digest"].replace(":", "/")
    content = json.loads(manifest.read_text())
    return {
        "index": source / "index.json",
        "manifest": manifest,
        "config": source / "blobs" / content["config"]["digest"].replace(":", "/"),
        "layer": source / "blobs" / content["layers"][0]["digest"].replace(":", "/"),
    }


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-20] + b"!" + path.read_bytes()[-19:]),
    "fifo": lambda path: (path.unlink(), os.mkfifo(path)),
    "directory": lambda path: (path.unlink(), path.mkdir()),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
}


#: An index has no digest: a blank at its end, or another letter in a name, is no damage.
NO_DAMAGE = {("index", "longer"), ("index", "flipped")}


@pytest.mark.parametrize(
    ("what", "damage"),
    [
        (what, how)
        for what in ("index", "manifest", "config", "layer")
        for how in DAMAGE
        if (what, how) not in NO_DAMAGE
    ],
)
def test_a_source_that_is_not_whole(store: Store, contents: Any, source: Path, what: str, damage: str) -> None:
    other = Path(shutil.copytree(source, source.with_name("whole")))
    store.load(other, "good")
    before = contents(store.home)
    DAMAGE[damage](_documents(source)[what])
    with pytest.raises(ImageError) as caught:
        store.load(source)
    assert caught.value.hint
    assert contents(store.home) == before


@pytest.mark.parametrize("what", ["manifest", "config", "layer"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "fifo"])
def test_a_store_that_is_not_whole(store: Store, source: Path, what: str, damage: str) -> None:
    """A disk that loses data: the image is refused, the others can be used, and it can be removed and loaded anew."""
    copy = Path(shutil.copytree(source, source.with_name("copy")))
    store.load(source)
    directory = store.rootfs("test").layers[0]
    shutil.rmtree(directory)
    DAMAGE[damage](_documents(store.layout.root)[what])
    with pytest.raises(ImageError):
        store.rootfs("test")
    assert not directory.exists()
    assert store.ls()[0]["names"] == ["test:latest"]
    store.rm("test")
    assert store.ls() == []
    store.load(copy)
    assert store.rootfs("test").layers == (directory,)


PLAUSIBLE: dict[str, tuple[bytes, bytes]] = {
    "manifest": (b'"schemaVersion": 2', b'"schemaVersion": 3'),
    "config": (b'"A=b"', b'"A=c"'),
    "layer": (
        b"\x1f\x8b\x08\x00\x00\x00",
        b"\x1f\x8b\x08\x00\x01\x00",
    ),  # gzip's time, which says nothing of the content
}


@pytest.mark.parametrize("what", PLAUSIBLE)
def test_a_change_that_only_the_digest_tells(store: Store, source: Path, what: str) -> None:
    store.load(source)
    shutil.rmtree(store.home / "layers")
    blob = _documents(store.layout.root)[what]
    before, after = PLAUSIBLE[what]
    assert before in blob.read_bytes()
    blob.write_bytes(blob.read_bytes().replace(before, after, 1))
    with pytest.raises(ImageError, match="digest is"):
        store.rootfs("test")


def test_a_nested_index_that_was_changed(make: Any, store: Store, source: Path) -> None:
    document = json.dumps({"schemaVersion": 2, "manifests": make.entries(source)}).encode()
    inner = make.blob(source, document, "application/vnd.oci.image.index.v1+json")
    make.index(source, inner)
    (source / "blobs" / inner["digest"].replace(":", "/")).write_bytes(document.replace(b'"test"', b'"evil"'))
    with pytest.raises(ImageError, match="its digest is another"):
        store.load(source)


def test_a_diff_id_that_lies(make: Any, store: Store, contents: Any, tmp_path: Path) -> None:
    layout = make.layout(tmp_path / "s", make.tar(make.file("a")), diff_ids=["sha256:" + "0" * 64])
    with pytest.raises(ImageError, match="digest of its content"):
        store.load(layout)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}, "not a container image"),
        ({"config": {"digest": "sha256:../../../../etc/passwd"}}, "not a sha256"),
        ({"config": {"digest": "md5:0"}}, "not a sha256"),
        ({"config": {"size": -1}}, "size"),
        ({"config": {"size": True}}, "size"),
        ({"layers": None}, "list of layers"),
        ({"layers": []}, "lists 1 layers"),
        ({"layers": [{}]}, "digest"),
        ({"annotations": {"a": 1}}, "annotations"),
    ],
)
def test_manifests_that_make_no_sense(make: Any, store: Store, source: Path, change: Any, says: str) -> None:
    manifest = json.loads(_documents(source)["manifest"].read_text())
    for key, value in change.items():
        manifest[key] = {**manifest[key], **value} if isinstance(value, dict) and key in manifest else value
    make.index(source, make.blob(source, json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json"))
    with pytest.raises(ImageError, match=says):
        store.load(source)


@pytest.mark.parametrize(
    "change",
    [
        {"rootfs": None},
        {"rootfs": {"diff_ids": ["x"]}},
        {"config": {"Env": "PATH"}},
        {"config": {"Cmd": [1]}},
        {"config": {"Cmd": ["a\0b"]}},
        {"config": {"User": 5}},
        {"config": [1]},
    ],
)
def test_configurations_that_make_no_sense(make: Any, store: Store, source: Path, change: Any) -> None:
    documents = _documents(source)
    config = {**json.loads(documents["config"].read_text()), **change}
    manifest = json.loads(documents["manifest"].read_text())
    manifest["config"] |= make.blob(source, json.dumps(config).encode(), manifest["config"]["mediaType"])
    make.index(source, make.blob(source, json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json"))
    with pytest.raises(ImageError, match="malformed"):
        store.load(source)


def test_too_many_layers(make: Any, store: Store, tmp_path: Path) -> None:
    layers = [make.tar(make.file(f"f{n}")) for n in range(128)]
    with pytest.raises(ImageError, match="128 layers"):
        store.load(make.layout(tmp_path / "s", *layers))


def test_as_many_layers_as_may_be(make: Any, store: Store, merged: Any, tmp_path: Path) -> None:
    layers = [make.tar(make.file(f"f{n}")) for n in range(127)]
    store.load(make.layout(tmp_path / "s", *layers))
    assert len(merged(store.rootfs("test").layers)) == 127


def test_an_index_that_leads_to_itself(make: Any, store: Store, source: Path) -> None:
    entry: dict[str, Any] = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "", "size": 0}
    inner = make.entries(source)
    for _ in range(6):
        document = json.dumps({"schemaVersion": 2, "manifests": inner}).encode()
        entry = make.blob(source, document, "application/vnd.oci.image.index.v1+json")
        inner = [entry]
    make.index(source, entry)
    with pytest.raises(ImageError, match="without end"):
        store.load(source)


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ({"Config": "../../../etc/passwd"}, "hostile"),
        ({"Config": "/etc/passwd"}, "hostile"),
        ({"Config": None}, "no configuration"),
        ({"Config": "manifest.json"}, "not a JSON object"),
        ({"Config": "nothing"}, "cannot be read"),
        ({"Layers": ["../../../../../dev/zero"]}, "hostile"),
        ({"Layers": ["conf.json"]}, "damaged"),
        ({"Layers": "id0/layer.tar"}, "not texts"),
        ({"Layers": []}, "malformed"),
        ({"RepoTags": [5]}, "not texts"),
    ],
)
def test_docker_archives_that_make_no_sense(make: Any, store: Store, tmp_path: Path, manifest: Any, says: str) -> None:
    archive = docker_archive(make, tmp_path / "docker.tar", make.tar(make.file("a")), **manifest)
    with pytest.raises(ImageError, match=says):
        store.load(archive)


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../../../../../../../../etc/passwd", "id0/layer.tar", "layer.tar", "."]
)
def test_a_link_in_an_archive_that_leads_out(make: Any, store: Store, tmp_path: Path, target: str) -> None:
    archive = docker_archive(make, tmp_path / "docker.tar", make.tar(make.file("a")), Layers=["id1/layer.tar"])
    with tarfile.open(archive, "a") as more:
        info = tarfile.TarInfo("id1/layer.tar")
        info.type, info.linkname = tarfile.SYMTYPE, target
        more.addfile(info)
    with pytest.raises(ImageError):
        store.load(archive)


def test_an_archive_whose_files_escape(make: Any, store: Store, tmp_path: Path) -> None:
    (tmp_path / "evil.tar").write_bytes(make.tar(make.file("../../../evil")))
    with pytest.raises(ImageError, match="hostile"):
        store.load(tmp_path / "evil.tar")


def test_an_archive_with_a_file_as_a_directory(make: Any, store: Store, tmp_path: Path) -> None:
    (tmp_path / "odd.tar").write_bytes(make.tar(make.file("a"), make.file("a/b")))
    with pytest.raises(ImageError, match="both"):
        store.load(tmp_path / "odd.tar")


def test_what_is_no_image_at_all(store: Store, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no image" * 100)
    (tmp_path / "dir").mkdir()
    for name in ("text", "dir"):
        with pytest.raises(ImageError):
            store.load(tmp_path / name)
    with pytest.raises(NotFound):
        store.load(tmp_path / "nothing")
    assert store.ls() == []


@given(cut=st.floats(0, 0.999))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_archive_cut_short_anywhere(make: Any, store: Store, source: Path, tmp_path: Path, cut: float) -> None:
    whole = make.archive(source, tmp_path / "whole.tar")
    with tarfile.open(whole) as archive:
        end = max(member.offset_data + member.size for member in archive)
    (tmp_path / "cut.tar").write_bytes(whole.read_bytes()[: int(end * cut)])
    with pytest.raises(ImageError):
        store.load(tmp_path / "cut.tar")
    assert store.ls() == []
