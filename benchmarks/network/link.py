"""The host's device that leads to an instance: what it is, and word of the first packet of a connection on it."""

from __future__ import annotations

import array
import ctypes
import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from isoscope.core.errors import HostError

LOOPBACK = "lo"
LOOPBACK_KIND = "loopback"  #: the label `link` of that device

_SIOCGIFMTU, _SIOCETHTOOL = 0x8921, 0x8946  # linux/sockios.h
#: linux/ethtool.h; each answers a flag.
_OFFLOADS = {"checksum": 0x16, "tso": 0x1E, "gso": 0x23, "gro": 0x2B}
_GET_DRIVER = 0x03  # ETHTOOL_GDRVINFO
_DRIVER_INFO = 196  # bytes of struct ethtool_drvinfo

_ALL_PROTOCOLS = 0x0003  # ETH_P_ALL: the only one that shows what leaves, too; packet(7)
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h


def facts(device: str) -> dict[str, str | int]:
    """Driver, MTU and offloads of a device, as labels. What it does not tell is left out."""
    found: dict[str, str | int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, suppress(OSError):
        request = struct.pack("16s24x", device.encode())
        answer = fcntl.ioctl(any_socket, _SIOCGIFMTU, request)
        found["mtu"] = struct.unpack_from("i", answer, 16)[0]
        on = [name for name, command in _OFFLOADS.items() if _ethtool(any_socket, device, command, 8)[4:8] != bytes(4)]
        found["offloads"] = " ".join(on) or "none"
        driver = _ethtool(any_socket, device, _GET_DRIVER, _DRIVER_INFO)[4:36]
        found["link"] = driver.rstrip(b"\0").decode("ascii", "replace")
    if device == LOOPBACK:
        found["link"] = LOOPBACK_KIND
    return found


def _ethtool(any_socket: socket.socket, device: str, command: int, size: int) -> bytes:
    buffer = array.array("B", struct.pack("I", command) + bytes(size - 4))
    request = struct.pack("16sP16x", device.encode(), buffer.buffer_info()[0])
    fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
    return buffer.tobytes()


@contextmanager
def connections(device: str, port: int) -> Iterator[socket.socket]:
    """A socket that becomes readable when a TCP connection to `port` is asked for over the device.

    This tells the host when a test begins, whoever makes the connection and whatever that one's clock says. To be
    closed at once: while it is open, every packet on the device is looked at. Raises HostError without CAP_NET_RAW.
    """
    try:
        watching = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, 0)
    except PermissionError as error:
        raise HostError("cannot watch for connections: CAP_NET_RAW is missing", hint="run as root") from error
    with watching:
        filter_ = _first_packets(port)
        program = ctypes.create_string_buffer(filter_)
        header = struct.pack("HP", len(filter_) // 8, ctypes.addressof(program))
        watching.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, header)
        watching.bind((device, _ALL_PROTOCOLS))  # only now, with the filter in place, does it receive anything
        yield watching


def _first_packets(port: int) -> bytes:
    """A classic BPF program (filter.rst) that takes IPv4 TCP segments to `port` with SYN set."""
    load_byte, load_half, load_header_length = 0x30, 0x28, 0xB1
    load_half_behind, load_byte_behind = 0x48, 0x50
    equal, any_of, give = 0x15, 0x45, 0x06
    program = (
        (load_byte, 0, 0, 9),  # protocol
        (equal, 0, 7, socket.IPPROTO_TCP),
        (load_half, 0, 0, 6),  # flags and offset of the fragment
        (any_of, 5, 0, 0x1FFF),
        (load_header_length, 0, 0, 0),
        (load_half_behind, 0, 0, 2),  # the port of destination
        (equal, 0, 2, port),
        (load_byte_behind, 0, 0, 13),  # TCP's flags
        (any_of, 1, 0, 0x02),
        (give, 0, 0, 0),
        (give, 0, 0, 0xFFFF),
    )
    return b"".join(struct.pack("HBBI", *step) for step in program)
