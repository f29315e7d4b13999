"""One test between two ends: a server, a client, and what the host does meanwhile."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from time import monotonic_ns
from typing import Any

from isoscope.benchmarks.network.activity import Activity, Moment
from isoscope.benchmarks.network.device import Device
from isoscope.benchmarks.network.ends import Ends
from isoscope.benchmarks.network.link import connections
from isoscope.benchmarks.network.tool import Tool
from isoscope.core.errors import WorkloadFailed

#: The window in which the host is watched, as shares of the test's time: its midst, clear of how the tools
#: start and end, which in an emulated guest takes more of the processors than the test itself.
_FROM, _TO = 0.1, 0.8


@dataclass(frozen=True)
class Outcome:
    """What an exchange gave."""

    output: bytes  #: the client's
    activity: Activity | None  #: None when it was over before the window was
    at_most: float  #: seconds on this host's clock from before the client was started to after its end
    packets: int | None = None  #: on the server's own device; None where it shows none

    def counters(self) -> dict[str, Any]:
        """Everything that was counted, as plain data: kinds of interrupts and exits, each a second."""
        rates = None if self.activity is None else asdict(self.activity.rates)
        return {"packets": self.packets, "a_second": rates}

    def check(self, seconds: float) -> None:
        """Raise WorkloadFailed when a client says that it took longer than there was time for."""
        if seconds > self.at_most:
            raise WorkloadFailed(
                f"the client's clock runs fast: {seconds:.3g} s were {self.at_most:.3g} s on the host's at most",
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
    #: What the server or the client says as the test begins, where no device of the host's shows its first packet.
    begun: bytes = b""
    server_tells: bool = False
    statuses: tuple[int, ...] = (0,)  #: with which the client may end

    def run(self, ends: Ends, timeout: float) -> Outcome:
        """Carry it out. Raises WorkloadFailed, Timeout, and InstanceFailed when an end dies."""
        device = Device.read(ends.server, timeout) if ends.counts_packets else None
        with Tool(ends.server, self.server) as server:
            server.await_output(self.ready, timeout)
            before = monotonic_ns()  # and not at the first packet: on a busy host we may hear of it late
            activity, output = self._run_client(ends, server, timeout)
            at_most = (monotonic_ns() - before) / 1e9
            packets = device.packets_until(Device.read(ends.server, timeout)) if device is not None else None
            return Outcome(output, activity, at_most, packets)

    def _run_client(self, ends: Ends, server: Tool, timeout: float) -> tuple[Activity | None, bytes]:
        with ExitStack() as stack:
            asked = stack.enter_context(connections(ends.device, self.port)) if ends.seen else None
            client = stack.enter_context(Tool(ends.client, self.client))
            teller = server if self.server_tells else client
            began = client.await_end_or(asked or teller.word(self.begun), timeout)
            if asked is not None:
                asked.close()
            activity = self._watch(client, ends) if began else None
            return activity, client.result(self.seconds + timeout, self.statuses)

    def _watch(self, client: Tool, ends: Ends) -> Activity | None:
        if client.ends_within(_FROM * self.seconds):
            return None
        before = Moment.take(ends.both)
        if client.ends_within((_TO - _FROM) * self.seconds):
            return None
        after = Moment.take(ends.both)
        return None if client.ends_within(0) else before.until(after)  # a guest may answer late
