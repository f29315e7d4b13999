from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest
from isoscope.core.rootfs import Rootfs
from isoscope.images.archive import archive, write_layer


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    directory = tmp_path / "layer"
    (directory / "etc").mkdir(parents=True)
    (directory / "etc/one").write_text("one\n")
    os.link(directory / "etc/one", directory / "etc/two")
    (directory / "etc/link").symlink_to("one")
    os.mkfifo(directory / "fifo")
    (directory / "etc/ü").write_text("")
    return directory


def test_a_layer_is_the_same_each_time_and_complete(layer: Path, tmp_path: Path) -> None:
    written = []
    for name in ("first", "second"):
        with open(tmp_path / name, "wb") as file:
            write_layer(layer, file)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    with tarfile.open(tmp_path / "first") as tar:
        found = {info.name: info for info in tar}
    assert list(found) == [".", "etc", "etc/link", "etc/one", "etc/two", "etc/ü", "fifo"]
    assert found["etc/two"].islnk()
    assert found["etc/two"].linkname == "etc/one"
    assert found["etc/link"].linkname == "one"
    assert found["fifo"].isfifo()


@pytest.mark.root
def test_what_a_layer_takes_away_is_said_as_oci_has_it(layer: Path, tmp_path: Path) -> None:
    os.mknod(layer / "etc/gone", 0o600 | 0o020000, os.makedev(0, 0))
    os.mknod(layer / "gone", 0o600 | 0o020000, os.makedev(0, 0))
    os.setxattr(layer / "etc", "trusted.overlay.opaque", b"y")
    os.setxattr(layer / "etc/one", "user.mime", b"text\xff\0")
    with open(tmp_path / "tar", "wb") as file:
        write_layer(layer, file)
    with tarfile.open(tmp_path / "tar") as tar:
        found = {info.name: info for info in tar}
    assert {"etc/.wh.gone", ".wh.gone", "etc/.wh..wh..opq"} <= set(found)
    assert "etc/gone" not in found
    kept = {key: value for info in found.values() for key, value in info.pax_headers.items() if "xattr" in key}
    assert kept == {"SCHILY.xattr.user.mime": "text\udcff\0"}


def test_an_archive_names_what_is_in_it(layer: Path, tmp_path: Path) -> None:
    rootfs = Rootfs("sha256:0", (layer, layer))
    with archive(rootfs, "isoscope/a:b", {"label": "x"}, tmp_path) as made, tarfile.open(fileobj=made.file) as tar:
        files = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    [manifest] = json.loads(files["manifest.json"])
    assert manifest == {"Config": "config.json", "RepoTags": ["isoscope/a:b"], "Layers": ["0.tar", "1.tar"]}
    digests = [f"sha256:{hashlib.sha256(files[name]).hexdigest()}" for name in manifest["Layers"]]
    assert list(made.diff_ids) == digests == json.loads(files["config.json"])["rootfs"]["diff_ids"]
