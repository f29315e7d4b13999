"""A directory in OCI image layout (image-layout.md): blobs by digest, and an index of the images by name."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from isoscope.core.errors import ImageError
from isoscope.images.hashing import Hashed, damaged
from isoscope.images.limits import LIMITS
from isoscope.images.oci import INDEX, Config, Descriptor, Manifest, digest_of, parse_index, to_json

VERSION = to_json({"imageLayoutVersion": "1.0.0"})


class Layout:
    """An OCI image layout below `root`. Reading trusts nothing but digests."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def blob(self, digest: str) -> Path:
        """Where the blob of that (well-formed) digest is, or would be."""
        return self.root / "blobs" / digest.replace(":", "/")

    def open_blob(self, descriptor: Descriptor) -> BinaryIO:
        """The blob as a stream, not yet verified. Raises ImageError when it is missing or of another size."""
        try:
            # O_NONBLOCK: a layout from elsewhere may have a fifo there, and opening it would wait for ever.
            file = os.open(self.blob(descriptor.digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise ImageError(
                f"blob {descriptor.digest} cannot be read: {error.strerror}",
                hint="the image is not whole: get it again",
            ) from error
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size != descriptor.size:
            os.close(file)
            raise ImageError(
                f"blob {descriptor.digest} is damaged: it has {status.st_size} bytes, not {descriptor.size}",
                hint="the image is truncated: get it again",
            )
        return os.fdopen(file, "rb")

    def read(self, descriptor: Descriptor) -> bytes:
        """A small blob, verified. Raises ImageError."""
        if descriptor.size > LIMITS.json_bytes:
            raise ImageError(f"blob {descriptor.digest} is too large for a document", hint="no proper image has that")
        with self.open_blob(descriptor) as file:
            stream = Hashed(file, descriptor.digest.partition(":")[0])
            data = stream.read(descriptor.size + 1)
        if stream.digest != descriptor.digest:
            raise damaged(f"blob {descriptor.digest}", "its digest is another")
        return data

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """The manifest that a descriptor points at. Raises ImageError."""
        return Manifest.parse(self.read(descriptor), f"manifest {descriptor.digest}")

    def config(self, manifest: Manifest) -> Config:
        """The configuration of an image, checked against its layers. Raises ImageError."""
        what = f"configuration {manifest.config.digest}"
        config = Config.parse(self.read(manifest.config), what)
        if len(config.diff_ids) != len(manifest.layers):
            raise ImageError(
                f"{what} is malformed: it lists {len(config.diff_ids)} layers and the manifest {len(manifest.layers)}",
                hint="get the image again",
            )
        if len(manifest.layers) > LIMITS.layers:
            raise ImageError(
                f"the image has {len(manifest.layers)} layers", hint=f"{LIMITS.layers} can be stacked: flatten it"
            )
        return config

    def index(self) -> list[Descriptor]:
        """The images. Raises ImageError when the index is unreadable; a layout without one has no images."""
        path = self.root / "index.json"
        try:
            with path.open("rb") as file:
                data = file.read(LIMITS.json_bytes + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}", hint="is this an OCI image layout?") from error
        return parse_index(data, str(path))

    def write_index(self, descriptors: Sequence[Descriptor]) -> None:
        """Replace the index in one step, which lasts even when the power fails."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [d.as_json() for d in descriptors]}
        partial = self.root / ".index.json.new"
        try:
            with partial.open("w") as file:
                json.dump(index, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self.root / "index.json")
        finally:
            partial.unlink(missing_ok=True)

    def write(self, data: bytes, media_type: str) -> Descriptor:
        """Add a small blob."""
        descriptor = Descriptor(media_type, digest_of(data), len(data))
        path = self.blob(descriptor.digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return descriptor
