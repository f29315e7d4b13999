"""Build an image that we ship from its recipe. The same packages always give the same digest."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from isoscope.images.apt import Package, contents, download
from isoscope.images.bytecode import compile_python
from isoscope.images.hashing import HashedWriter
from isoscope.images.layout import Layout
from isoscope.images.locks import making
from isoscope.images.oci import CONFIG, LAYER, MANIFEST, Descriptor, host_architecture, to_json
from isoscope.images.programs import compile_program, compiler
from isoscope.images.recipes import Recipe
from isoscope.images.tarstream import entries
from isoscope.images.tree import Tree

_BUSYBOX = "usr/bin/busybox"


def build(recipe: Recipe, staged: Layout, workshop: Path, progress: Callable[[str], None]) -> Descriptor:
    """Build into a layout and return the manifest's descriptor. `workshop` is a directory for what is on the way.

    Raises HostError when packages or a compiler cannot be had, or the disk is full.
    """
    with making(workshop) as scratch:
        scratch.chmod(0o755)  # apt's own user downloads into it
        progress(f"{recipe.name}: fetching {', '.join(recipe.packages)} and what they depend on")
        downloads, kept = scratch / "apt", scratch / "files"
        downloads.mkdir()
        kept.mkdir()
        found = download(recipe.packages, downloads)
        packages = [
            package for package in found if package.name in recipe.packages or package.name not in recipe.without
        ]
        progress(f"{recipe.name}: putting {len(packages)} packages together")
        tree = Tree(kept)
        _fill(tree, recipe, packages)
        _add_programs(tree, recipe, scratch)
        epoch = min(tree.newest(), int(os.environ.get("SOURCE_DATE_EPOCH", tree.newest())))
        compile_python(tree, scratch)
        return _image(recipe, packages, tree, epoch, staged)


def _fill(tree: Tree, recipe: Recipe, packages: list[Package]) -> None:
    for path, target in recipe.links.items():
        tree.symlink(path, target)
    for path, mode in recipe.directories.items():
        tree.directory(path, mode)
    for package in packages:
        with contents(package) as stream:
            what = f"package {package.name}"
            for entry in entries(stream, what):
                tree.unpack(entry, recipe.wants)
    for path, text in recipe.files.items():
        tree.file(path, text.removeprefix("\n").encode())
    if _BUSYBOX in tree.nodes:
        _link_applets(tree)


def _add_programs(tree: Tree, recipe: Recipe, scratch: Path) -> None:
    for name in recipe.programs:
        compiled = scratch / "program"
        compile_program(name, compiled)
        tree.file(f"usr/local/bin/{name}", compiled.read_bytes(), 0o755)


def _link_applets(tree: Tree) -> None:
    """Every program that busybox is, as a hard link to it, where no other package has a better one."""
    program = tree.nodes[_BUSYBOX].data
    assert program is not None
    program.chmod(0o755)
    command = ["busybox", "--list-full"]  # it is whatever it is called, and the file has another name here
    listed = subprocess.run(command, executable=program, capture_output=True, text=True, check=True).stdout
    for path in listed.split():
        if "/" in path and tree.resolve(path) not in tree.nodes:
            tree.link(path, _BUSYBOX)


def _image(recipe: Recipe, packages: list[Package], tree: Tree, epoch: int, staged: Layout) -> Descriptor:
    layer, diff_id = _layer(tree, epoch, staged)
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        "architecture": host_architecture(),
        "os": "linux",
        "created": created,
        "config": {
            "Env": [f"{name}={value}" for name, value in recipe.environment.items()],
            "Cmd": list(recipe.command),
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "created_by": f"isoscope image build {recipe.name}"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": staged.write(to_json(config), CONFIG).as_json(),
        "layers": [layer.as_json()],
        "annotations": {"org.opencontainers.image.description": recipe.summary, **_origin(recipe, packages)},
    }
    return staged.write(to_json(manifest), MANIFEST)


def _origin(recipe: Recipe, packages: list[Package]) -> dict[str, str]:
    """What an image was made from, as its annotations say it."""
    found = {
        "isoscope.recipe": recipe.name,
        "isoscope.packages": " ".join(f"{package.name}={package.version}" for package in packages),
    }
    if recipe.programs:
        found |= {"isoscope.programs": " ".join(recipe.programs), "isoscope.compiler": compiler()}
    return found


def _layer(tree: Tree, epoch: int, staged: Layout) -> tuple[Descriptor, str]:
    partial = staged.root / "layer.partial"
    with partial.open("wb") as file:
        packed = HashedWriter(file)
        with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0, compresslevel=6) as squeezed:
            plain = HashedWriter(squeezed)
            tree.write(plain, epoch)
    descriptor = Descriptor(f"{LAYER}+gzip", packed.digest, partial.stat().st_size)
    place = staged.blob(descriptor.digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(place)
    return descriptor, plain.digest
