"""How much an image may ask of the host. An image is untrusted: whatever is not bounded here is unbounded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one image, far above what real images need and far below what harms a host."""

    #: Bytes of one layer's tar stream. The largest images in use (CUDA, machine learning) have layers of about 10 GiB.
    bytes: int = 32 << 30
    #: Entries of one layer. A full desktop distribution has about 300,000; each costs an inode of the host.
    entries: int = 1_000_000
    #: Layers of one image, as in Docker. Each is a lower directory of the same overlay mount.
    layers: int = 127
    #: How many times its compressed size a layer may grow. Text reaches 20; zeros reach 1,000, and more with zstd.
    ratio: int = 250
    #: The ratio is not asked before a layer has this many bytes: small layers of zeros harm nobody.
    ratio_floor: int = 256 << 20
    #: Bytes of tar headers (PAX, GNU long names, sparse maps) before one entry: tarfile holds them in memory.
    header_bytes: int = 1 << 20
    #: Components of a path. Trees deeper than this cannot be walked recursively.
    path_depth: int = 255
    #: Bytes of a path (PATH_MAX of limits.h, less its NUL).
    path_bytes: int = 4095
    #: Bytes of an index, a manifest or a configuration: registries refuse manifests above 4 MiB.
    json_bytes: int = 4 << 20


LIMITS = Limits()
#: The same for an archive of images: few files, and all the layers.
ARCHIVE_LIMITS = Limits(bytes=128 << 30, entries=100_000)
