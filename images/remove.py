"""Take images out of the store, with whatever no other image needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from isoscope.core.errors import ImageError, InputError
from isoscope.core.registry import Registry
from isoscope.images.disk import disk_path
from isoscope.images.faults import host_errors
from isoscope.images.locks import locked, making
from isoscope.images.oci import REF_NAME, Descriptor, chain_ids
from isoscope.images.transaction import directory_of

if TYPE_CHECKING:
    from isoscope.images.store import Store


def remove(store: Store, reference: str) -> list[str]:
    """Remove a name and, when it was the image's last, the image. Returns a line for each thing removed.

    Raises NotFound, and InputError while an instance uses the image.
    """
    store.find(reference)  # there may be no store at all
    lock = store.layout.root / ".lock"
    with host_errors(f"cannot remove image {reference!r}"), making(store.layers) as waste, locked(lock):
        index = store.layout.index()
        entry = store.find(reference)
        by_name = store.by_name(reference)
        if by_name is not None and sum(e.digest == entry.digest for e in index) > 1:
            store.layout.write_index([e for e in index if e != by_name])
            return [f"removed name {by_name.annotations[REF_NAME]}"]
        _require_unused(store.home, entry)
        # The disk first: once the index has forgotten the image, nobody would know whose it was.
        disk_path(entry.digest, store.home).unlink(missing_ok=True)
        kept = [e for e in index if e.digest != entry.digest]
        store.layout.write_index(kept)
        removed = _discard_unneeded(store, kept, waste)
    return [f"removed image {entry.digest}", *removed]


def sweep(store: Store) -> list[str]:
    """Remove blobs and layers that no image needs."""
    if not store.layout.root.is_dir() or not store.layers.is_dir():
        return []
    lock = store.layout.root / ".lock"
    with host_errors("cannot sweep the image store"), making(store.layers) as waste, locked(lock):
        return _discard_unneeded(store, store.layout.index(), waste)


def _require_unused(home: Path, entry: Descriptor) -> None:
    users = sorted(record.name for record in Registry(home) if record.image == entry.digest and record.exit is None)
    if users:
        raise InputError(
            f"image {entry.digest} is used by instance {users[0]!r}", hint=f"remove it first: isoscope rm -f {users[0]}"
        )


def _discard_unneeded(store: Store, images: list[Descriptor], waste: Path) -> list[str]:
    """Move to `waste`, which goes, what none of the images needs. The store is locked."""
    blobs, chains = set[str](), set[str]()
    for entry in images:
        try:
            manifest = store.layout.manifest(entry)
            chains.update(chain_ids(store.layout.config(manifest).diff_ids))
        except ImageError as error:  # whatever it needs cannot be known
            return [f"kept what may belong to a damaged image: {error.message}"]
        blobs.update((entry.digest, *(blob.digest for blob in manifest.blobs())))
    return [
        *_discard("blob", store.layout.root / "blobs", (store.layout.blob(digest) for digest in blobs), waste),
        *_discard("layer", store.layers, (directory_of(store.layers, chain) for chain in chains), waste),
    ]


def _discard(kind: str, place: Path, needed: Iterable[Path], waste: Path) -> list[str]:
    keep = set(needed)
    lines = []
    for algorithm in ("sha256", "sha512"):
        for path in sorted((place / algorithm).glob("*")):
            if path not in keep:
                _throw_away(path, waste)
                lines.append(f"removed {kind} {algorithm}:{path.name}")
    return lines


def _throw_away(path: Path, waste: Path) -> None:
    """Remove in one step, so that nobody ever sees half a layer."""
    if path.is_dir() and not path.is_symlink():
        path.rename(waste / path.name)
    else:
        path.unlink()
