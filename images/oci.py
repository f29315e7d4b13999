"""The documents of the OCI image specification 1.1 that we read and write: descriptor, index, manifest, configuration.

They come from strangers: what is malformed raises ImageError, and nothing is taken for granted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from isoscope.core.errors import ImageError
from isoscope.images.reference import is_digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFESTS = {MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"}
INDEXES = {INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"}
CONFIGS = {CONFIG, "application/vnd.docker.container.image.v1+json"}
LAYERS = {
    LAYER,
    f"{LAYER}+gzip",
    f"{LAYER}+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
}
REF_NAME = "org.opencontainers.image.ref.name"
#: GOARCH names of what uname(2) calls the machine.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}


def host_architecture() -> str:
    """This machine's architecture in the words of an image configuration (GOARCH)."""
    machine = os.uname().machine
    return _ARCHITECTURES.get(machine, machine)


def digest_of(data: bytes) -> str:
    """The digest by which these bytes are known."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object. Raises ImageError, naming `what`, for anything else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{what} is not JSON", hint="the image is damaged: get it again") from error
    if not isinstance(value, dict):
        raise ImageError(f"{what} is not a JSON object", hint="the image is damaged: get it again")
    return value


def to_json(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON: the same value always has the same digest."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Descriptor:
    """What points at a blob: descriptor.md."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, value: Any, what: str) -> Self:
        """Check and take over a descriptor. Raises ImageError."""
        if not isinstance(value, dict):
            raise malformed(what, "a descriptor is not an object")
        digest, size = value.get("digest"), value.get("size")
        if not isinstance(digest, str) or not is_digest(digest):
            raise malformed(what, f"{digest!r} is not a sha256 or sha512 digest")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise malformed(what, f"blob {digest} has no proper size")
        platform = value.get("platform")
        return cls(
            media_type=_text(value, "mediaType", what),
            digest=digest,
            size=size,
            annotations=_annotations(value, what),
            platform=platform if isinstance(platform, dict) else None,
        )

    def as_json(self) -> dict[str, Any]:
        """The descriptor as it stands in an index or a manifest."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform is not None:
            value["platform"] = dict(self.platform)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value


def parse_index(data: bytes, what: str) -> list[Descriptor]:
    """The descriptors of an image index: image-index.md. Raises ImageError."""
    manifests = parse_json(data, what).get("manifests")
    if not isinstance(manifests, list):
        raise malformed(what, "it has no list of manifests")
    return [Descriptor.parse(value, what) for value in manifests]


@dataclass(frozen=True)
class Manifest:
    """One image: manifest.md."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Check a manifest. Raises ImageError when it is malformed or not that of a container image."""
        value = parse_json(data, what)
        layers = value.get("layers")
        if not isinstance(layers, list):
            raise malformed(what, "it has no list of layers")
        config = Descriptor.parse(value.get("config"), what)
        if config.media_type not in CONFIGS:
            raise ImageError(
                f"{what} is not a container image: its configuration is {config.media_type!r}",
                hint="artifacts of other kinds cannot be run",
            )
        found = tuple(Descriptor.parse(layer, what) for layer in layers)
        for layer in found:
            if layer.media_type not in LAYERS:
                raise malformed(what, f"layer {layer.digest} has the unknown media type {layer.media_type!r}")
        return cls(config, found, _annotations(value, what))

    def blobs(self) -> Iterable[Descriptor]:
        """Everything that the manifest points at."""
        return (self.config, *self.layers)


@dataclass(frozen=True)
class Config:
    """How an image is to be run, and the digests of its uncompressed layers: config.md."""

    architecture: str
    os: str
    created: str
    diff_ids: tuple[str, ...]
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    working_directory: str
    user: str
    labels: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes, what: str) -> Self:
        """Check a configuration. Raises ImageError."""
        value = parse_json(data, what)
        rootfs, config = value.get("rootfs"), value.get("config") or {}
        diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
        if not isinstance(diff_ids, list) or not all(isinstance(d, str) and is_digest(d) for d in diff_ids):
            raise malformed(what, "it has no proper list of diff_ids")
        if not isinstance(config, dict):
            raise malformed(what, "its config is not an object")
        pairs = (text.partition("=") for text in _texts(config, "Env", what))
        return cls(
            architecture=_text(value, "architecture", what),
            os=_text(value, "os", what),
            created=_text(value, "created", what),
            diff_ids=tuple(diff_ids),
            environment={name: text for name, equals, text in pairs if name and equals},
            entrypoint=_texts(config, "Entrypoint", what),
            cmd=_texts(config, "Cmd", what),
            working_directory=_text(config, "WorkingDir", what) or "/",
            user=_text(config, "User", what),
            labels=_strings(config, "Labels", what),
        )

    @property
    def command(self) -> tuple[str, ...]:
        """What runs when no command is given: conversion.md."""
        return self.entrypoint + self.cmd


def chain_ids(diff_ids: Iterable[str]) -> list[str]:
    """The ChainID of each layer, lowest first: config.md#layer-chainid."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(digest_of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def malformed(what: str, why: str) -> ImageError:
    """The error for a document that breaks the specification."""
    return ImageError(f"{what} is malformed: {why}", hint="the image is damaged: get it again")


def _text(value: Mapping[str, Any], key: str, what: str) -> str:
    text = value.get(key) or ""
    if not isinstance(text, str) or "\0" in text:
        raise malformed(what, f"{key} is not text")
    return text


def _texts(value: Mapping[str, Any], key: str, what: str) -> tuple[str, ...]:
    texts = value.get(key) or []
    if not isinstance(texts, list) or not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise malformed(what, f"{key} is not a list of texts")
    return tuple(texts)


def _strings(value: Mapping[str, Any], key: str, what: str) -> dict[str, str]:
    pairs = value.get(key) or {}
    if not isinstance(pairs, dict) or not all(isinstance(text, str) for text in pairs.values()):
        raise malformed(what, f"{key} is not an object of texts")
    return pairs


def _annotations(value: Mapping[str, Any], what: str) -> dict[str, str]:
    return _strings(value, "annotations", what)
