"""Take in images from an OCI layout or a docker-archive. Of the source only what its digests prove is believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any

from isoscope.core.errors import ImageError, InputError
from isoscope.images import oci
from isoscope.images.compression import compression
from isoscope.images.hashing import CHUNK, Hashed, damaged
from isoscope.images.layout import Layout
from isoscope.images.limits import ARCHIVE_LIMITS
from isoscope.images.oci import Config, Descriptor, Manifest, host_architecture
from isoscope.images.reference import normalise
from isoscope.images.source import Source, opened
from isoscope.images.transaction import Transaction

_DEEPEST_INDEX = 4
_NAMES = ("io.containerd.image.name", oci.REF_NAME)  #: the first one there is; Docker keeps the whole name in the first


def load(path: Path, change: Transaction, name: str = "") -> list[str]:
    """Stage every image of the source that is for this machine. Returns their digests.

    `name` replaces the name of a single image. Raises NotFound, ImageError, InputError when there are several to be
    given one name.
    """
    found = _Found()
    with opened(path, change.staged.root) as source:
        if source.has("oci-layout") and source.has("index.json"):
            _from_layout(source, change.staged, found)
        elif source.has("manifest.json"):
            _from_docker(source, change.staged, found)
        else:
            raise ImageError(
                f"{str(path)!r} is neither an OCI image layout nor a docker-archive",
                hint="it has neither `oci-layout` with `index.json`, nor `manifest.json`",
            )
    if name and len(found.manifests) > 1:
        count = len(found.manifests)
        raise InputError(f"{str(path)!r} has {count} images, and one name was given", hint="leave out the name")
    for digest, manifest in found.manifests.items():
        change.add(manifest, [name] if name else sorted(found.names[digest]))
    return list(found.manifests)


class _Found:
    """Images that have been staged, each once, with the names that the source gives them."""

    def __init__(self) -> None:
        self.manifests: dict[str, Descriptor] = {}
        self.names: dict[str, set[str]] = {}

    def add(self, manifest: Descriptor, names: Iterable[str]) -> None:
        self.manifests[manifest.digest] = manifest
        self.names.setdefault(manifest.digest, set()).update(name for text in names if (name := _name(text)))


def _name(text: str) -> str:
    """The name as we write it; empty for what we would not take as one."""
    try:
        return normalise(text)
    except InputError:
        return ""


# OCI image layout


def _from_layout(source: Source, staged: Layout, found: _Found) -> None:
    passed_over: set[str] = set()
    for entry in oci.parse_index(source.read("index.json"), "the source's index"):
        manifest = _for_this_machine(source, entry, passed_over)
        if manifest is None:
            continue
        _stage_image(source, staged, manifest)
        name = next((entry.annotations[key] for key in _NAMES if key in entry.annotations), "")
        found.add(replace(manifest, annotations={}), [name])
    _require_any(found, passed_over)


def _require_any(found: _Found, passed_over: set[str]) -> None:
    if not found.manifests:
        there = ", ".join(sorted(passed_over)) or "none at all"
        raise ImageError(f"the source has no image for {_platform()}", hint=f"it has: {there}")


def _for_this_machine(source: Source, entry: Descriptor, passed_over: set[str], depth: int = 0) -> Descriptor | None:
    """The manifest behind an index entry; the first that fits, where there are several (image-index.md)."""
    if entry.media_type in oci.INDEXES:
        if depth == _DEEPEST_INDEX:
            raise ImageError("the source's indexes are nested without end", hint="do not use this image")
        inner = oci.parse_index(_read_blob(source, entry), f"index {entry.digest}")
        fitting = (_for_this_machine(source, one, passed_over, depth + 1) for one in inner)
        return next((manifest for manifest in fitting if manifest is not None), None)
    if entry.media_type not in oci.MANIFESTS:
        passed_over.add(entry.media_type)
        return None
    platform = entry.platform or _platform_of_config(source, entry)
    text = f"{platform.get('os')}/{platform.get('architecture')}"
    if text == _platform():
        return entry
    passed_over.add(text)
    return None


def _platform() -> str:
    return f"linux/{host_architecture()}"


def _platform_of_config(source: Source, entry: Descriptor) -> dict[str, str]:
    manifest = Manifest.parse(_read_blob(source, entry), f"manifest {entry.digest}")
    what = f"configuration {manifest.config.digest}"
    config = Config.parse(_read_blob(source, manifest.config), what)
    return {"os": config.os, "architecture": config.architecture}


def _stage_image(source: Source, staged: Layout, entry: Descriptor) -> None:
    _stage_blob(source, staged, entry)
    for blob in staged.manifest(entry).blobs():
        _stage_blob(source, staged, blob)


def _stage_blob(source: Source, staged: Layout, blob: Descriptor) -> None:
    place = staged.blob(blob.digest)
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with source.open(_blob_name(blob)) as file:
        copied = _copy(file, place, blob.digest.partition(":")[0], blob.size)
    if copied.count != blob.size:
        raise damaged(f"blob {blob.digest}", f"it has not {blob.size} bytes")
    if copied.digest != blob.digest:
        raise damaged(f"blob {blob.digest}", f"its digest is {copied.digest}")


def _copy(file: BufferedReader, place: Path, algorithm: str, most: int) -> Hashed:
    """Copy a file, and at most one byte more than it may have."""
    hashed = Hashed(file, algorithm)
    with place.open("wb") as target:
        while hashed.count <= most and (data := hashed.read(min(CHUNK, most + 1 - hashed.count))):
            target.write(data)
    return hashed


def _read_blob(source: Source, blob: Descriptor) -> bytes:
    """A small blob, verified."""
    data = source.read(_blob_name(blob))
    algorithm, _, digest = blob.digest.partition(":")
    if hashlib.new(algorithm, data).hexdigest() != digest:
        raise damaged(f"blob {blob.digest}", "its digest is another")
    return data


def _blob_name(blob: Descriptor) -> str:
    return f"blobs/{blob.digest.replace(':', '/')}"


# docker-archive, as `docker save` writes it


def _from_docker(source: Source, staged: Layout, found: _Found) -> None:
    layers: dict[str, Descriptor] = {}
    passed_over: set[str] = set()
    for image in _docker_images(source):
        data = source.read(image["Config"])
        parsed = Config.parse(data, "an image's configuration")
        if (platform := f"{parsed.os}/{parsed.architecture}") != _platform():
            passed_over.add(platform)
            continue
        config = staged.write(data, oci.CONFIG)
        for name in image["Layers"]:
            if name not in layers:
                layers[name] = _stage_docker_layer(source, staged, name)
        manifest = {
            "schemaVersion": 2,
            "mediaType": oci.MANIFEST,
            "config": config.as_json(),
            "layers": [layers[name].as_json() for name in image["Layers"]],
        }
        found.add(staged.write(oci.to_json(manifest), oci.MANIFEST), image["RepoTags"])
    _require_any(found, passed_over)


def _docker_images(source: Source) -> list[dict[str, Any]]:
    what = "the archive's manifest.json"
    try:
        images = json.loads(source.read("manifest.json"))
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{what} is not JSON", hint="the archive is damaged: get it again") from error
    if not isinstance(images, list) or not images:
        raise oci.malformed(what, "it lists no images")
    return [_docker_image(image, what) for image in images]


def _docker_image(image: Any, what: str) -> dict[str, Any]:
    if not isinstance(image, dict) or not isinstance(image.get("Config"), str):
        raise oci.malformed(what, "an image has no configuration")
    layers, names = image.get("Layers") or [], image.get("RepoTags") or []
    for texts in (layers, names):
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise oci.malformed(what, "an image's layers or names are not texts")
    return {"Config": image["Config"], "Layers": layers, "RepoTags": names}


def _stage_docker_layer(source: Source, staged: Layout, name: str) -> Descriptor:
    """A layer of whatever compression; its media type says which."""
    partial = staged.root / "layer.partial"
    with source.open(name) as file:
        suffix = compression(file.peek(4))
        copied = _copy(file, partial, "sha256", ARCHIVE_LIMITS.bytes)
    layer = Descriptor(f"{oci.LAYER}{suffix}", copied.digest, copied.count)
    place = staged.blob(layer.digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(place)
    return layer
