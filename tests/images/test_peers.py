"""What we read and write is what others read and write: skopeo and umoci are asked."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from isoscope.images.store import Store

pytestmark = pytest.mark.root


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def skopeo(source: str, target: str, *options: str) -> None:
    run("skopeo", "--insecure-policy", "copy", "--quiet", *options, source, target)


@pytest.fixture
def layers(make: Any) -> tuple[bytes, bytes]:
    """Leave `bin/sh`, `etc/new` and its other name `n`."""
    return (
        make.tar(make.directory("bin"), make.file("bin/sh", b"#!", mode=0o4755, uid=1), make.file("etc/old")),
        make.tar(
            make.directory("etc", uid=2), make.whiteout("etc/old"), make.file("etc/new"), make.hardlink("n", "etc/new")
        ),
    )


@pytest.fixture
def layout(make: Any, layers: Any, tmp_path: Path) -> Path:
    return make.layout(tmp_path / "layout", *layers)  # type: ignore[no-any-return]


@pytest.mark.parametrize("transport", ["oci", "oci-archive", "docker-archive"])
def test_we_load_what_skopeo_writes(store: Store, merged: Any, layout: Path, transport: str) -> None:
    target = layout.with_name("target")
    skopeo(f"oci:{layout}:test", f"{transport}:{target}:me/image:v1")
    (digest,) = store.load(target)
    (direct,) = store.load(layout)
    assert store.inspect("me/image:v1")["digest"] == digest
    assert merged(store.rootfs("me/image:v1").layers) == merged(store.rootfs("test").layers)
    assert sorted(merged(store.rootfs(direct).layers)) == ["bin", "bin/sh", "etc", "etc/new", "n"]


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_we_load_every_compression_that_skopeo_knows(
    make: Any, store: Store, merged: Any, layers: Any, how: str
) -> None:
    layout = make.layout(store.home / "layout", *layers, compression="")
    skopeo(f"oci:{layout}:test", f"oci:{layout}-{how}:test", "--dest-compress-format", how, "--dest-compress")
    store.load(Path(f"{layout}-{how}"))
    assert {layer["media_type"].rpartition("+")[2] for layer in store.inspect("test")["layers"]} == {how}
    assert "etc/new" in merged(store.rootfs("test").layers)


@pytest.mark.parametrize("transport", ["oci-archive", "docker-archive"])
def test_skopeo_reads_what_we_save(make: Any, store: Store, layers: Any, tmp_path: Path, transport: str) -> None:
    (digest,) = store.load(make.layout(tmp_path / "layout", *layers, names=["me/image:v1"]))
    store.save(["me/image:v1"], tmp_path / "saved.tar")
    skopeo(f"{transport}:{tmp_path}/saved.tar:me/image:v1", f"oci:{tmp_path}/back:back")
    index = json.loads((tmp_path / "back/index.json").read_text())
    if transport == "oci-archive":
        assert index["manifests"][0]["digest"] == digest
    other = Store(store.home / "other")
    other.load(tmp_path / "back")
    assert [layer["diff_id"] for layer in other.inspect("back")["layers"]] == [
        layer["diff_id"] for layer in store.inspect(digest)["layers"]
    ]


def test_the_store_is_itself_a_layout_for_others(make: Any, store: Store, layers: Any, tmp_path: Path) -> None:
    (digest,) = store.load(make.layout(tmp_path / "layout", *layers))
    assert json.loads(run("skopeo", "inspect", "--raw", f"oci:{store.home}/images:test:latest"))["schemaVersion"] == 2
    skopeo(f"oci:{tmp_path}/layout:test", f"oci:{store.home}/images:theirs")
    assert store.inspect("theirs")["digest"] == digest


def test_umoci_makes_an_image_that_we_load(make: Any, store: Store, layers: Any, merged: Any, tmp_path: Path) -> None:
    """A layer that umoci itself computed, with the whiteouts that it writes."""
    layout, bundle = make.layout(tmp_path / "layout", *layers), tmp_path / "bundle"
    run("umoci", "unpack", "--image", f"{layout}:test", bundle)
    shutil.rmtree(bundle / "rootfs/bin")
    (bundle / "rootfs/etc/more").write_text("more")
    run("umoci", "repack", "--image", f"{layout}:changed", bundle)
    store.load(layout)
    assert sorted(merged(store.rootfs("changed").layers)) == ["etc", "etc/more", "etc/new", "n"]


NAMES = ("a", "b", "c")
PATHS = [
    *NAMES,
    *(f"{x}/{y}" for x in NAMES for y in NAMES),
    *(f"{x}/{y}/{z}" for x in NAMES for y in NAMES for z in NAMES),
]
ENTRY = st.tuples(
    st.sampled_from(PATHS),
    st.sampled_from(["file", "directory", "symlink", "hardlink", "whiteout", "opaque"]),
    st.integers(0, 0o7777),
    st.integers(0, 3),
)


def _layer(make: Any, wishes: list[tuple[str, str, int, int]], below: set[str]) -> tuple[bytes, set[str]]:
    """A layer that a proper tool could have written: each path once, parents described before their entries.

    Returns the directories that stand when it is applied, too: those of layers below must be described again.
    """
    kinds: dict[str, tuple[str, int, int]] = {}
    for path, kind, mode, owner in wishes:
        parents = [path.rsplit("/", depth)[0] for depth in range(path.count("/"), 0, -1)]
        if any(kinds.get(parent, ("directory",))[0] not in ("directory", "opaque") for parent in parents):
            continue
        for parent in parents:
            kinds.setdefault(parent, ("directory", 0o755, 0))
        if path in kinds or (kind == "whiteout" and path not in below):
            continue
        kinds[path] = (kind, mode, owner)
    members, files = [], []
    for path, (kind, mode, owner) in sorted(kinds.items()):
        if kind == "file":
            members.append(make.file(path, path.encode(), mode=mode, uid=owner, gid=owner, mtime=mode))
            files.append(path)
        elif kind == "symlink":
            members.append(make.symlink(path, "../" * owner + "a", uid=owner))
        elif kind == "hardlink" and files:
            members.append(make.hardlink(path, files[mode % len(files)]))
        elif kind == "whiteout":
            members.append(make.whiteout(path))
        elif kind in ("directory", "opaque"):
            members.append(make.directory(path, mode=mode | 0o700, uid=owner, mtime=mode))
            members += [make.opaque(path)] * (kind == "opaque")
    return make.tar(*members), below | {path for path, (kind, *_) in kinds.items() if kind != "whiteout"}


@given(st.lists(st.lists(ENTRY, max_size=12), min_size=1, max_size=4))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink would take minutes: each example runs umoci
)
def test_layers_give_the_same_tree_as_umoci(
    make: Any, merged: Any, snapshot_of: Callable[[Path], Any], wishes: list[list[tuple[str, str, int, int]]]
) -> None:
    layers: list[bytes] = []
    standing: set[str] = set()
    for wish in wishes:
        layer, standing = _layer(make, wish, standing)
        layers.append(layer)
    with tempfile.TemporaryDirectory(prefix="iso-", dir="/tmp") as scratch:
        place = Path(scratch)
        layout = make.layout(place / "layout", *layers)
        run("umoci", "unpack", "--image", f"{layout}:test", place / "bundle")
        store = Store(place)
        store.load(layout)
        ours, theirs = merged(store.rootfs("test").layers), snapshot_of(place / "bundle/rootfs")
        assert _comparable(ours) == _comparable(theirs)


def _comparable(seen: dict[str, Any]) -> dict[str, Any]:
    """Without directories' times: umoci, which changes one tree layer by layer, touches them again."""
    return {
        path: {key: value for key, value in facts.items() if key != "mtime" or facts["data"] is not None}
        for path, facts in seen.items()
    }
