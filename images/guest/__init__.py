"""What every VM boots: the distribution's kernel, an initrd with the few modules it needs, and our own small init."""

from isoscope.images.guest.build import FULL_VM, VM, Guest, Kind, find, guest, lacks, sweep

__all__ = ["FULL_VM", "VM", "Guest", "Kind", "find", "guest", "lacks", "sweep"]
