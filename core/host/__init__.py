"""What this host can do, found out by doing.

`Host` is cheap to make; each of its facts is probed when it is first asked for.
"""

from __future__ import annotations

from isoscope.core.host.facts import Feature, Kvm, KvmStatus, Layout
from isoscope.core.host.host import Host

__all__ = ["Feature", "Host", "Kvm", "KvmStatus", "Layout"]
