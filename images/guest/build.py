"""The guest, built once for each state directory and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.guest import initrd, packages, tools, vmlinux
from isoscope.images.guest.tools import run

_log = logging.getLogger(__name__)

#: Counts changes of this package that change what it builds, beyond the init's sources and the list of modules.
_RECIPE = 1


@dataclass(frozen=True)
class Kind:
    """What a guest is made of."""

    name: str  #: of its folder in the cache
    distributions: Mapping[str, packages.Distribution]
    #: Modules in the initrd, by the moment at which init loads them: always, with a network, with a shared directory,
    #: where its root is that of its host.
    modules: Mapping[str, tuple[str, ...]]
    later: tuple[str, ...] = ()  #: modules that are left beside it, for modprobe(8)


#: What every VM boots.
VM = Kind(
    "guest",
    packages.CLOUD,
    {
        "boot": ("virtio_pci", "virtio_blk", "virtio_console", "ext4"),
        "net": ("virtio_net",),
        "share": ("virtiofs",),
    },
)


#: What a machine that is a host itself loads once its root is there.
_OF_A_HOST = (
    "igb",  # an SR-IOV card, and its virtual functions
    "igbvf",
    "nvme",
    "kvm_amd",  # an emulated processor has SVM, and no VMX
    "vfio_pci",
    "vfio_iommu_type1",  # a soft dependency, which busybox's modprobe passes over
    "bridge",  # networks of containers and VMs
    "veth",
    "tun",
    "nft_masq",
    "nft_chain_nat",
    "nft_ct",
    "loop",
    "ext4",
    "virtio_net",
)

#: What a VM boots that is given a card of the host's, and a machine that is a host itself (see `isoscope.rig`): drivers
#: of cards and of their virtual functions, and KVM, are for real machines.
FULL_VM = Kind(
    "guest-full",
    packages.FULL,
    {
        **VM.modules,
        "net": ("igbvf", "ixgbevf", "iavf", "mlx5_core", "bnxt_en"),
        "host": ("9p", "9pnet_virtio", "overlay"),
    },
    later=_OF_A_HOST,
)


@dataclass(frozen=True)
class Guest:
    """What a machine boots."""

    kernel: Path
    initrd: Path
    release: str  #: what `uname -r` says inside
    package: str  #: name and version of the package that the kernel comes from
    pvh: bool  #: the kernel is an uncompressed ELF file, for the PVH entry point; else a bzImage

    @property
    def modules(self) -> Path:
        """A directory with those modules of `lib/modules/RELEASE` that are not in the initrd."""
        return self.kernel.with_name("modules")


def guest(home: Path, kind: Kind = VM) -> Guest:
    """A state directory's guest of a kind, built first when it is missing: that of a VM takes some ten seconds.

    It stays at the kernel that it was built with, so that figures stay comparable: remove its folder from the cache to
    get a newer one. Raises HostError when a program, the package or space on the disk is missing.
    """
    directory = home / "cache" / kind.name
    if (found := find(home, kind)) is not None:
        return found
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            return find(home, kind) or _build(home, kind)
    except OSError as error:
        raise HostError(f"cannot build the guest in {directory}: {error.strerror}", hint="free some space") from error


def lacks(home: Path, kind: Kind = VM) -> list[tuple[str, str]]:
    """Programs that building the guest needs and this host does not have, each with the package that brings it.

    None once it is built.
    """
    if find(home, kind) is not None:
        return []
    return [(program, package) for program, package in tools.PROGRAMS.items() if not tools.have(program)]


def sweep(home: Path, kind: Kind = VM) -> list[str]:
    """Remove what an interrupted build left behind, unless one is going on. Returns a line for each thing removed."""
    directory = home / "cache" / kind.name
    if not any(directory.glob("new-*")):
        return []
    try:
        with _locked(directory, wait=False):
            return _remove_unfinished(directory)
    except BlockingIOError:
        return []


def _digest(kind: Kind) -> str:
    """Names the recipe: equal digests build equal guests from equal packages."""
    digest = hashlib.sha256(f"{_RECIPE}{kind.modules}{kind.later}".encode())
    for source in sorted(initrd.INIT_SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def find(home: Path, kind: Kind = VM) -> Guest | None:
    """A state directory's guest of a kind, if it is built."""
    directory = home / "cache" / kind.name
    for place in sorted(directory.glob(f"*-{_digest(kind)}")):
        try:
            facts = json.loads((place / "guest.json").read_text())
        except (OSError, ValueError):
            continue
        return Guest(place / "kernel", place / "initrd", facts["release"], facts["package"], facts["pvh"])
    return None


@contextmanager
def _locked(directory: Path, *, wait: bool = True) -> Iterator[None]:
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(lock)


def _remove_unfinished(directory: Path) -> list[str]:
    unfinished = sorted(directory.glob("new-*"))
    for path in unfinished:
        shutil.rmtree(path, ignore_errors=True)
    return [f"removed unfinished guest {path.name}" for path in unfinished]


def _build(home: Path, kind: Kind) -> Guest:
    directory = home / "cache" / kind.name
    _remove_unfinished(directory)
    found = packages.find(kind.distributions)
    _log.info("building what a machine boots from %s %s", found.names[0], found.version)
    with tempfile.TemporaryDirectory(prefix="new-", dir=directory) as name:
        work = Path(name)
        for part in ("packages", "initrd", "guest"):
            (work / part).mkdir()
        packages.unpack(found, work / "packages")
        _settle_merged_usr(work / "packages")
        pvh = _write_kernel(work / "packages" / "boot" / f"vmlinuz-{found.release}", work / "guest" / "kernel")
        initrd.compile_init(work / "initrd" / "init")
        run("depmod", "-b", work / "packages", found.release)
        initrd.add_modules(work / "packages", found.release, kind.modules, work / "initrd" / "modules")
        if kind.later:
            _keep_modules(work / "packages", found.release, kind.later, work / "guest" / "modules")
        initrd.pack(work / "initrd", work / "guest" / "initrd")
        facts = {"release": found.release, "package": f"{found.names[0]} {found.version}", "pvh": pvh}
        (work / "guest" / "guest.json").write_text(json.dumps(facts))
        (work / "guest").rename(directory / f"{found.release}_{found.version.replace('/', '_')}-{_digest(kind)}")
    built = find(home, kind)
    assert built is not None
    return built


def _keep_modules(tree: Path, release: str, modules: tuple[str, ...], into: Path) -> None:
    """Leave the modules, and what they depend on, as a tree that modprobe(8) can use."""
    for path in dict.fromkeys(path for module in modules for path in initrd.closure(tree, release, module)):
        _, _, below = str(path).rpartition(f"/modules/{release}/")
        place = into / "lib" / "modules" / release / below
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    for name in ("modules.builtin", "modules.order"):
        shutil.copyfile(tree / "lib" / "modules" / release / name, into / "lib" / "modules" / release / name)
    run("depmod", "-b", into, release)


def _settle_merged_usr(tree: Path) -> None:
    """Make modules reachable by /lib and by /usr/lib: packages have used both, and so have builds of depmod."""
    if (tree / "lib").exists():
        (tree / "usr").mkdir(exist_ok=True)
        if not (tree / "usr" / "lib").exists():
            (tree / "usr" / "lib").symlink_to("../lib")
    else:
        (tree / "lib").symlink_to("usr/lib")


def _write_kernel(bzimage: Path, into: Path) -> bool:
    data = bzimage.read_bytes()
    elf = vmlinux.extract(data)
    pvh = vmlinux.has_pvh_entry(elf)
    into.write_bytes(elf if pvh else data)
    return pvh
