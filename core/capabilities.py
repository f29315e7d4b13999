"""What a backend declares that it can do, so that nothing is tried and then fails."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from isoscope.core.errors import Unsupported
from isoscope.core.workload import Network, Workload


@dataclass(frozen=True)
class Capabilities:
    """Each field says what a caller may rely on."""

    networks: frozenset[Network] = frozenset({Network.NONE})  #: `Workload.network` may be any of these
    limits: frozenset[str] = frozenset()  #: of `cpus`, `memory`, `pids`: those that are enforced
    mounts: bool = False  #: `Workload.mounts` are shown inside
    terminal: bool = False  #: `Workload.terminal` gives the workload a terminal
    exec: bool = False  #: `Instance.exec` runs a second command inside
    pause: bool = False  #: `Instance.pause` stops every task until `resume`
    stats: bool = False  #: `Instance.stats` returns figures
    runs_image: bool = True  #: the command is the image's; false only for the null backend
    own_kernel: bool = False  #: a kernel of its own stands between the workload and the host

    def check(self, backend: str, workload: Workload) -> None:
        """Raise Unsupported, before anything is made, for the first thing that the workload asks in vain."""
        if workload.network not in self.networks:
            raise Unsupported(
                f"backend {backend!r} has no network {workload.network.value!r}",
                hint=f"it has: {', '.join(sorted(self.networks))}",
            )
        if missing := sorted(workload.resources.requested() - self.limits):
            raise Unsupported(
                f"backend {backend!r} cannot limit {missing[0]}",
                hint=f"it limits: {', '.join(sorted(self.limits)) or 'nothing'}",
            )
        if workload.mounts and not self.mounts:
            raise Unsupported(f"backend {backend!r} cannot show host directories inside", hint="leave out -v")
        if workload.terminal and not self.terminal:
            raise Unsupported(f"backend {backend!r} cannot give the workload a terminal", hint="leave out -t")

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `isoscope backends --json`."""
        return {name: sorted(v) if isinstance(v, frozenset) else v for name, v in asdict(self).items()}
