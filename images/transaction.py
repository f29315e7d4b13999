"""Add images to the store: everything is gathered and checked aside, and enters all at once or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.faults import host_errors
from isoscope.images.layout import VERSION, Layout
from isoscope.images.locks import locked, making
from isoscope.images.oci import REF_NAME, Descriptor, chain_ids


class Transaction:
    """Images on their way into the store. `staged` is a layout of its own: put the blobs there, then `add`."""

    def __init__(self, store: Layout, layers: Path, staged: Layout, unpacked: Path) -> None:
        self.staged = staged
        self._store = store
        self._layers = layers
        self._unpacked = unpacked
        self._found: set[Path] = set()  # layers of the store that others were unpacked above
        self._images: list[tuple[Descriptor, tuple[str, ...]]] = []

    def add(self, manifest: Descriptor, names: Sequence[str]) -> None:
        """Take an image in under these (normalised) names; all its blobs are in `staged`.

        Raises ImageError or HostError; the transaction is then lost, and the store as it was.
        """
        content = self.staged.manifest(manifest)
        config = self.staged.config(content)
        below: list[Path] = []
        for layer, diff_id, chain in zip(content.layers, config.diff_ids, chain_ids(config.diff_ids), strict=True):
            below.append(self._unpack(layer, diff_id, chain, below))
        self._images.append((replace(manifest, annotations={}), tuple(names)))

    def _unpack(self, layer: Descriptor, diff_id: str, chain: str, below: Sequence[Path]) -> Path:
        from isoscope.images.unpack import unpack

        there, here = directory_of(self._layers, chain), directory_of(self._unpacked, chain)
        if there.is_dir():
            self._found.add(there)
            return there
        if not here.is_dir():
            here.mkdir(parents=True)
            unpack(self.staged, layer, diff_id, here, below)
        return here

    def commit(self) -> None:
        """Move everything into the store. Raises HostError, the store then being as it was."""
        moved: list[tuple[Path, Path]] = []
        staged_blobs, blobs = self.staged.root / "blobs", self._store.root / "blobs"
        with locked(self._store.root / ".lock"):
            try:
                self._require_all()
                for origin, place in (*_moves(self._unpacked, self._layers), *_moves(staged_blobs, blobs)):
                    if not place.exists():
                        place.parent.mkdir(parents=True, exist_ok=True)
                        origin.rename(place)
                        moved.append((origin, place))
                self._store.write_index(self._merged_index())
            except BaseException:
                for origin, place in reversed(moved):
                    place.rename(origin)
                raise

    def _require_all(self) -> None:
        """Raise HostError when a layer has gone that the store had: what was unpacked above it may be wrong."""
        for layer in self._found:
            if not layer.is_dir():
                raise HostError(
                    "an image was removed whose layers were needed", hint="do it again: it will bring its own"
                )

    def _merged_index(self) -> list[Descriptor]:
        """The index with the new images; a name that another image had is the new one's now."""
        taken = {name for _, names in self._images for name in names}
        index = [
            # The image stays when it loses its name, for instances may run on it.
            replace(entry, annotations={}) if entry.annotations.get(REF_NAME) in taken else entry
            for entry in self._store.index()
        ]
        for manifest, names in self._images:
            index += [replace(manifest, annotations={REF_NAME: name}) for name in names] or [manifest]
        return tidy(index)


@contextmanager
def transaction(store: Layout, layers: Path, doing: str) -> Iterator[Transaction]:
    """A transaction on the store at `store`, whose unpacked layers are below `layers`.

    It is committed at the end of the block; when the block raises, the store is as it was.
    Raises HostError, saying that it happened while `doing`, for a full or unwritable disk.
    """
    with host_errors(f"cannot {doing}"), making(store.root) as blobs, making(layers) as unpacked:
        staged = Layout(blobs)
        (blobs / "blobs").mkdir()
        made = Transaction(store, layers, staged, unpacked)
        yield made
        made.commit()


def prepare(store: Layout, layers: Path) -> None:
    """Make an empty store, if there is none. Raises HostError.

    Only the owner may look in: unpacked images hold setuid programs, which other users of the host must not reach.
    """
    with host_errors("cannot make the image store"):
        for directory in (store.root, layers):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (store.root / "oci-layout").exists():
            with locked(store.root / ".lock"):
                (store.root / "oci-layout").write_bytes(VERSION)


def directory_of(layers: Path, chain: str) -> Path:
    """Where the unpacked layer of a ChainID is, or would be."""
    return layers / chain.replace(":", "/")


def tidy(index: Sequence[Descriptor]) -> list[Descriptor]:
    """The index without repetitions, and without a nameless entry beside a named one of the same image."""
    named = {entry.digest for entry in index if REF_NAME in entry.annotations}
    kept: dict[tuple[str, str | None], Descriptor] = {}
    for entry in index:
        name = entry.annotations.get(REF_NAME)
        if name is not None or entry.digest not in named:
            kept[entry.digest, name] = entry
    return list(kept.values())


def _moves(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Every `ALGORITHM/HEX` of one tree, and where it belongs in the other."""
    return [(origin, target / origin.relative_to(source)) for origin in sorted(source.glob("*/*"))]
