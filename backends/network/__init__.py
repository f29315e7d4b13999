"""The bridge network that containers and VMs share: a bridge, its addresses, and address translation to the outside."""

from isoscope.backends.network.bridge import BridgeNetwork
from isoscope.backends.network.lease import Lease

__all__ = ["BridgeNetwork", "Lease"]
