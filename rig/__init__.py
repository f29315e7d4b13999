"""An emulated host with an SR-IOV network card, an IOMMU, KVM and cgroup v2, in which this very Isoscope runs.

It is a virtual machine on QEMU's emulation in software, so its figures show the path, not the speed.
"""
