"""What the rig's kernel has, and which modules are loaded in it."""

from __future__ import annotations

from isoscope.images.guest.build import Kind
from isoscope.images.guest.packages import FULL

#: Loaded once the root is there.
MODULES = (
    "igb",  # the card, and its virtual functions
    "igbvf",
    "nvme",
    "kvm_amd",  # the emulated processor has SVM, and no VMX
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

RIG = Kind("rig", FULL, {"boot": ("virtio_pci", "virtio_console", "9p", "9pnet_virtio", "overlay")}, later=MODULES)
