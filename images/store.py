"""The image store of a state directory: `HOME/images` in OCI image layout, `HOME/layers` with the unpacked layers.

This module is imported by every command that starts an instance: what only builds and loads need is imported there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoscope.core.errors import ImageError, InputError, NotFound
from isoscope.core.rootfs import Rootfs
from isoscope.images.faults import host_errors
from isoscope.images.layout import Layout
from isoscope.images.locks import locked, making, sweep_making
from isoscope.images.oci import REF_NAME, Config, Descriptor, Manifest, chain_ids
from isoscope.images.recipes import Recipe
from isoscope.images.recipes import names as recipe_names
from isoscope.images.reference import is_digest_prefix, normalise
from isoscope.images.transaction import directory_of, prepare, tidy, transaction

if TYPE_CHECKING:
    from isoscope.images.transaction import Transaction

log = logging.getLogger(__name__)


class Store:
    """The images below a state directory. Safe to use from several processes at once.

    `progress` is called with a line for each longer step; by default the lines go to the log.
    """

    def __init__(self, home: Path, progress: Callable[[str], None] = log.info) -> None:
        self.home = home
        self.layout = Layout(home / "images")
        self.layers = home / "layers"
        self.workshop = home / "cache" / "builds"
        self.progress = progress

    # Reading

    def rootfs(self, reference: str) -> Rootfs:
        """The unpacked image; one that we ship is built first when the store does not have it.

        Raises NotFound, ImageError when the image is damaged, HostError when it cannot be built or unpacked.
        """
        entry = self._find(reference) or self._built(reference)
        manifest = self.layout.manifest(entry)
        config = self.layout.config(manifest)
        return Rootfs(
            digest=entry.digest,
            layers=self._unpacked(manifest, config),
            command=config.command,
            environment=config.environment,
            working_directory=config.working_directory,
            user=config.user,
        )

    def ls(self) -> list[dict[str, Any]]:
        """The images, by name: digest, names, platform, when made (RFC 3339) and bytes of its blobs."""
        names = self._names()
        rows = []
        for digest, entry in {entry.digest: entry for entry in self.layout.index()}.items():
            row: dict[str, Any] = {"digest": digest, "names": names[digest]}
            try:
                manifest = self.layout.manifest(entry)
                config = self.layout.config(manifest)
            except ImageError as error:  # one damaged image does not hide the others
                rows.append({**row, "platform": None, "created": None, "size": None, "error": error.message})
                continue
            size = entry.size + sum(blob.size for blob in manifest.blobs())
            platform = f"{config.os}/{config.architecture}"
            rows.append({**row, "platform": platform, "created": config.created or None, "size": size})
        return sorted(rows, key=lambda row: (not row["names"], row["names"], row["digest"]))

    def inspect(self, reference: str) -> dict[str, Any]:
        """Everything about one image, as plain data. Raises NotFound or ImageError."""
        entry = self.find(reference)
        manifest = self.layout.manifest(entry)
        config = self.layout.config(manifest)
        chain = chain_ids(config.diff_ids)
        return {
            "digest": entry.digest,
            "names": self._names()[entry.digest],
            "platform": f"{config.os}/{config.architecture}",
            "created": config.created or None,
            "size": entry.size + sum(blob.size for blob in manifest.blobs()),
            "entrypoint": list(config.entrypoint),
            "cmd": list(config.cmd),
            "environment": dict(config.environment),
            "working_directory": config.working_directory,
            "user": config.user,
            "labels": dict(config.labels),
            "annotations": dict(manifest.annotations),
            "layers": [
                {
                    "digest": layer.digest,
                    "diff_id": diff_id,
                    "media_type": layer.media_type,
                    "size": layer.size,
                    "directory": str(directory) if (directory := directory_of(self.layers, link)).is_dir() else None,
                }
                for layer, diff_id, link in zip(manifest.layers, config.diff_ids, chain, strict=True)
            ],
        }

    def find(self, reference: str) -> Descriptor:
        """The index entry of an image, by name or (the start of) its digest. Raises NotFound; builds nothing."""
        entry = self._find(reference)
        if entry is None:
            known = sorted({*recipe_names(), *(name for row in self.ls() for name in row["names"])})
            raise NotFound(f"there is no image {reference!r}", hint=f"there are: {', '.join(known)}")
        return entry

    def by_name(self, reference: str) -> Descriptor | None:
        """The index entry of that very name, if there is one. Raises InputError for what cannot name any image."""
        try:
            name = normalise(reference)
        except InputError:
            if is_digest_prefix(reference):
                return None
            raise
        return next((entry for entry in self.layout.index() if _name_of(entry) == name), None)

    def _find(self, reference: str) -> Descriptor | None:
        if (named := self.by_name(reference)) is not None:
            return named
        found = {entry.digest: entry for entry in self.layout.index() if _matches(entry.digest, reference)}
        if len(found) > 1:
            raise InputError(
                f"{reference!r} is the start of {len(found)} digests", hint=f"such as {' and '.join(sorted(found)[:2])}"
            )
        return next(iter(found.values()), None)

    def _names(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for entry in self.layout.index():
            known = names.setdefault(entry.digest, [])
            if name := _name_of(entry):
                known.append(name)
        return {digest: sorted(known) for digest, known in names.items()}

    # Unpacking

    def _unpacked(self, manifest: Manifest, config: Config) -> tuple[Path, ...]:
        chain = chain_ids(config.diff_ids)
        directories = tuple(directory_of(self.layers, link) for link in chain)
        for number, directory in enumerate(directories):
            if not directory.is_dir():
                self._unpack(manifest.layers[number], config.diff_ids[number], directory, directories[:number])
        return directories

    def _unpack(self, layer: Descriptor, diff_id: str, directory: Path, below: Sequence[Path]) -> None:
        """Unpack one layer of an image that the store has."""
        from isoscope.images.unpack import unpack

        prepare(self.layout, self.layers)
        with host_errors("cannot unpack an image"), locked(self.layers / ".unpack.lock"):
            if directory.is_dir():  # another process was faster
                return
            self.progress(f"unpacking layer {layer.digest}")
            with making(self.layers) as scratch:
                fresh = scratch / "layer"
                fresh.mkdir()
                unpack(self.layout, layer, diff_id, fresh, below)
                directory.parent.mkdir(parents=True, exist_ok=True)
                fresh.rename(directory)

    # Changing

    def build(self, recipe: str) -> str:
        """Build an image that we ship, anew, and return its digest. Raises NotFound or HostError."""
        from isoscope.images.build import build

        chosen = Recipe.named(recipe)
        with self._transaction(f"build image {recipe!r}") as change:
            self.workshop.mkdir(parents=True, exist_ok=True)
            manifest = build(chosen, change.staged, self.workshop, self.progress)
            change.add(manifest, [normalise(recipe)])
        return manifest.digest

    def _built(self, reference: str) -> Descriptor:
        try:
            name = normalise(reference).removesuffix(":latest")
        except InputError:
            name = ""
        if name not in recipe_names():
            return self.find(reference)  # which says what there is
        prepare(self.layout, self.layers)
        with host_errors("cannot build an image"), locked(self.layout.root / ".build.lock"):
            if (found := self._find(reference)) is None:  # no other process was faster
                self.progress(f"image {name!r} is built once, from packages of this machine's distribution")
                self.build(name)
                found = self.find(reference)
        return found

    def load(self, source: Path, name: str = "") -> list[str]:
        """Take in every image for this machine of an OCI layout (directory or tar) or a docker-archive tar.

        `name` replaces the name of a single image. Returns their digests. Raises ImageError for a source that is
        damaged, hostile or of another format; the store is then as it was.
        """
        from isoscope.images.load import load

        with self._transaction(f"load {source}") as change:
            return load(source, change, normalise(name) if name else "")

    def save(self, references: Sequence[str], target: Path) -> None:
        """Write images as one tar, which is an OCI layout and a docker-archive at once. Raises NotFound, ImageError."""
        from isoscope.images.save import save

        entries = [self.find(reference) for reference in references]
        names = self._names()
        with host_errors(f"cannot save to {target}"):
            save(self.layout, [(entry, names[entry.digest]) for entry in entries], target)

    def tag(self, reference: str, name: str) -> None:
        """Give an image another name, taking it from the image that had it. Raises NotFound or InputError."""
        chosen = normalise(name)
        with host_errors("cannot name an image"):
            self.find(reference)  # there may be no store at all
            with locked(self.layout.root / ".lock"):
                entry = self.find(reference)
                index = [_nameless(e) if _name_of(e) == chosen else e for e in self.layout.index()]
                self.layout.write_index(tidy([*index, replace(entry, annotations={REF_NAME: chosen})]))

    def rm(self, reference: str) -> list[str]:
        """Remove a name and, when it was the image's last, the image with whatever no other image needs.

        A digest removes all its names. Returns a line for each thing removed. Raises NotFound, and InputError while
        an instance uses the image.
        """
        from isoscope.images.remove import remove

        return remove(self, reference)

    def sweep(self) -> list[str]:
        """Remove what an interrupted build, load or removal left behind. Returns a line for each thing removed."""
        from isoscope.images.disk import disks
        from isoscope.images.remove import sweep

        places = (self.layout.root, self.layers, self.workshop, disks(self.home))
        swept = [line for place in places for line in sweep_making(place)]
        return swept + sweep(self)

    def _transaction(self, doing: str) -> AbstractContextManager[Transaction]:
        prepare(self.layout, self.layers)
        return transaction(self.layout, self.layers, doing)


def _name_of(entry: Descriptor) -> str:
    """The normalised name of an index entry; empty when it has none, or none that we would give."""
    try:
        return normalise(entry.annotations[REF_NAME])
    except (KeyError, InputError):
        return ""


def _nameless(entry: Descriptor) -> Descriptor:
    return replace(entry, annotations={})


def _matches(digest: str, prefix: str) -> bool:
    return is_digest_prefix(prefix) and (digest.startswith(prefix) or digest.partition(":")[2].startswith(prefix))
