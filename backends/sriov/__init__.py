"""Virtual functions of SR-IOV cards: found, chosen, made, handed out and given back.

Not a backend: containers and VMs take them by the same code. Nothing here is done before it has been checked and its
prior state is on disk.
"""

from isoscope.backends.sriov.lease import VfLease
from isoscope.backends.sriov.network import VfNetwork
from isoscope.backends.sriov.terms import OPTIONS, vf_terms

__all__ = ["OPTIONS", "VfLease", "VfNetwork", "vf_terms"]
