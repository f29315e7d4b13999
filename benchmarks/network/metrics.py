"""What the benchmark `network` finds."""

from __future__ import annotations

from dataclasses import dataclass

from isoscope.benchmarks.metric import Direction, Metric

THROUGHPUT = Metric(
    "network.throughput",
    "B/s",
    Direction.HIGHER,
    "Payload that the receiver counted, divided by the seconds of the transfer on the client's clock (iperf3, TCP).",
)


def _latency(percentile: str) -> Metric:
    return Metric(
        f"network.latency.p{percentile}",
        "ns",
        Direction.LOWER,
        f"The time from sending a request to having its whole reply that {percentile} % of a trial's transactions did "
        "not exceed (fio, TCP, one connection, one request at a time).",
    )


#: By the percentile, as fio writes it.
LATENCY = {percentile: _latency(percentile) for percentile in ("50", "90", "99", "99.9")}

TRANSACTIONS = Metric(
    "network.transactions",
    "1/s",
    Direction.HIGHER,
    "Requests answered in a second, over one connection, one at a time.",
)


def _cpu(name: str, whose: str, of_what: str) -> Metric:
    return Metric(
        f"network.{name}",
        "ns",
        Direction.LOWER,
        f"CPU time of the host for each {of_what}, {whose}: what was spent in a second in the midst of the test, less "
        f"what was spent in a second before it by the same instances in silence, over the {of_what}s of a second.",
    )


_ENDS = "as far as it is charged to the instances at both ends, their VMM included"
_HOST = "of all its processors for whatever they do, kernel threads included"

CPU_PER_BYTE = _cpu("cpu_per_byte", _ENDS, "byte")
CPU_PER_TRANSACTION = _cpu("cpu_per_transaction", _ENDS, "transaction")
HOST_CPU_PER_BYTE = _cpu("host_cpu_per_byte", _HOST, "byte")
HOST_CPU_PER_TRANSACTION = _cpu("host_cpu_per_transaction", _HOST, "transaction")


def _bytes_per(what: str, definition: str) -> Metric:
    return Metric(
        f"network.bytes_per_{what}", "B", Direction.HIGHER, f"Payload of the bulk transfer for each {definition}"
    )


def _per_transaction(what: str, definition: str) -> Metric:
    return Metric(f"network.{what}_per_transaction", "1", Direction.LOWER, f"For each transaction, {definition}")


_BEYOND = "in a second in the midst of the test, less those in a second before it by the same instances in silence."
_INTERRUPTS = f"of the host of any kind (/proc/interrupts): devices', timers' and those between processors, {_BEYOND}"
_EXITS = f"from a virtual machine's code to KVM, of all virtual machines at the ends, {_BEYOND}"
_PACKETS = "that the instance's own network device counted during the test, in both directions, its driver's view."

BYTES_PER_INTERRUPT = _bytes_per("interrupt", f"interrupt {_INTERRUPTS}")
INTERRUPTS_PER_TRANSACTION = _per_transaction("interrupts", f"interrupts {_INTERRUPTS}")
BYTES_PER_EXIT = _bytes_per("exit", f"exit {_EXITS}")
EXITS_PER_TRANSACTION = _per_transaction("exits", f"exits {_EXITS}")
BYTES_PER_PACKET = _bytes_per("packet", f"packet {_PACKETS}")
PACKETS_PER_TRANSACTION = _per_transaction("packets", f"packets {_PACKETS}")

PACKETS = Metric(
    "network.packets",
    "1",
    Direction.HIGHER,
    "Packets that the instance's own network device counted during the tests of a path, in both directions: no merit, "
    "but the proof that they took this way.",
)


@dataclass(frozen=True)
class Unit:
    """What a test does many of, and the metrics of what each costs."""

    cpu: Metric
    host_cpu: Metric
    interrupts: Metric
    exits: Metric
    packets: Metric
    inverse: bool  #: the last three tell how many units there are to each


BYTE = Unit(CPU_PER_BYTE, HOST_CPU_PER_BYTE, BYTES_PER_INTERRUPT, BYTES_PER_EXIT, BYTES_PER_PACKET, inverse=True)
TRANSACTION = Unit(
    CPU_PER_TRANSACTION,
    HOST_CPU_PER_TRANSACTION,
    INTERRUPTS_PER_TRANSACTION,
    EXITS_PER_TRANSACTION,
    PACKETS_PER_TRANSACTION,
    inverse=False,
)

BACKGROUND = Metric(
    "network.background",
    "1",
    Direction.LOWER,
    "The share of the host's processors that was busy before a path was first used, with the instances up and silent.",
)

HEADLINE = (THROUGHPUT, LATENCY["50"], LATENCY["99"], CPU_PER_BYTE, CPU_PER_TRANSACTION)
DETAILS = (
    LATENCY["90"],
    LATENCY["99.9"],
    TRANSACTIONS,
    HOST_CPU_PER_BYTE,
    HOST_CPU_PER_TRANSACTION,
    BYTES_PER_INTERRUPT,
    INTERRUPTS_PER_TRANSACTION,
    BYTES_PER_EXIT,
    EXITS_PER_TRANSACTION,
    BYTES_PER_PACKET,
    PACKETS_PER_TRANSACTION,
    PACKETS,
    BACKGROUND,
)
NETWORK = HEADLINE + DETAILS
