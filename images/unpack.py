"""From a layer's blob to an overlayfs lower directory, verified on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isoscope.images.compression import Uncompressed
from isoscope.images.extract import extract
from isoscope.images.hashing import Hashed, damaged
from isoscope.images.layout import Layout
from isoscope.images.limits import LIMITS, Limits
from isoscope.images.oci import Descriptor
from isoscope.images.tarstream import entries


def unpack(
    layout: Layout, layer: Descriptor, diff_id: str, into: Path, below: Sequence[Path], *, limits: Limits = LIMITS
) -> None:
    """Apply a layer to the empty directory `into`. `below` are the layers under it, lowest first.

    Raises ImageError when the blob's digest or its `diff_id` is not what was promised, and what `extract` raises.
    The directory is then to be thrown away.
    """
    what = f"layer {layer.digest}"
    with layout.open_blob(layer) as file:
        raw = Hashed(file, layer.digest.partition(":")[0])
        plain = Hashed(Uncompressed(raw, what, limits), diff_id.partition(":")[0])
        extract(entries(plain, what, limits), into, what, below, limits)
        raw.drain()
    if raw.digest != layer.digest:
        raise damaged(what, f"its digest is {raw.digest}")
    if plain.digest != diff_id:
        raise damaged(what, f"the digest of its content is {plain.digest}, and the configuration says {diff_id}")
