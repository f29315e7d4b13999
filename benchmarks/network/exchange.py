"""One test between two ends: a server, a client, and what the processors do meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic_ns

from isoscope.benchmarks.network.cpu import Sample, Usage
from isoscope.benchmarks.network.ends import Ends
from isoscope.benchmarks.network.link import connections
from isoscope.benchmarks.network.tool import Tool
from isoscope.core.errors import WorkloadFailed

#: The window in which the processors are watched, as shares of the test's time: its midst, clear of how the tools
#: start and end, which in an emulated guest takes more of them than the test itself.
_FROM, _TO = 0.1, 0.9

_TOLERANCE = 1.01  #: by how much two clocks may differ


@dataclass(frozen=True)
class Outcome:
    """What an exchange gave."""

    output: bytes  #: the client's
    usage: Usage | None  #: None when it was over before the window was
    lasted: float | None  #: seconds on this host's clock from the first packet to the client's end; None without packet

    def check(self, seconds: float) -> None:
        """Raise WorkloadFailed when a client says that it took longer than there was time for."""
        if self.lasted is not None and seconds > self.lasted * _TOLERANCE:
            raise WorkloadFailed(
                f"the client's clock runs fast: {seconds:.3g} s were {self.lasted:.3g} s on the host's",
                hint="a guest's clock is off; isoscope doctor says how guests run here",
            )


@dataclass(frozen=True)
class Exchange:
    """The commands of a server and a client."""

    port: int
    server: tuple[str, ...]
    ready: bytes  #: what the server says once it listens
    client: tuple[str, ...]
    seconds: int  #: for which the client goes on
    statuses: tuple[int, ...] = (0,)  #: with which the client may end

    def run(self, ends: Ends, timeout: float) -> Outcome:
        """Carry it out. Raises WorkloadFailed, Timeout, and InstanceFailed when an end dies."""
        with Tool(ends.server, self.server) as server:
            server.await_output(self.ready, timeout)
            with connections(ends.device, self.port) as asked, Tool(ends.client, self.client) as client:
                began = client.await_end_or(asked.fileno(), timeout)
                at = monotonic_ns()
                asked.close()
                usage = self._watch(client, ends) if began else None
                output = client.result(self.seconds + timeout, self.statuses)
                return Outcome(output, usage, (monotonic_ns() - at) / 1e9 if began else None)

    def _watch(self, client: Tool, ends: Ends) -> Usage | None:
        if client.ends_within(_FROM * self.seconds):
            return None
        before = Sample.take(ends.both)
        if client.ends_within((_TO - _FROM) * self.seconds):
            return None
        return before.until(Sample.take(ends.both))
