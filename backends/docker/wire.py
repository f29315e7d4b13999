"""HTTP with an engine, where the SDK's own way of it would cost more than a trial may.

A request through the SDK costs 0.71 ms of our time at best, by http.client on a kept connection 0.13 ms, most of it for
headers of which two matter, and this way 0.02 ms. And three things that a start needs are events on a socket, for which
the SDK has a thread that waits: output, the end, a late answer.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Lock
from time import monotonic_ns
from types import MappingProxyType
from typing import Any

from isoscope.backends.docker.address import Address
from isoscope.backends.docker.faults import Gone, Refused
from isoscope.core.errors import Timeout
from isoscope.core.patience import patience
from isoscope.core.pump import Pump

_TIMEOUT = 60.0  #: seconds that an engine may take for an answer, on a host of usual speed
_CHUNK = 1 << 16
_END = b"\r\n\r\n"  # of the headers
_NONE: Mapping[str, str] = MappingProxyType({})


class Wire:
    """Kept connections to one engine. Thread-safe."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.version = ""  #: of the API, which each request names; empty for the engine's own
        self.lost = False  #: whether the engine did not answer once
        self._idle: list[socket.socket] = []
        self._lock = Lock()
        self._closed = False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask and wait for the answer: its JSON, or None. Raises Refused, Gone, Timeout."""
        with self._errors():
            status, value = self._exchange(self._request(method, path, body))
        if status >= 400:
            raise Refused(status, message(value, status))
        return value

    def _exchange(self, request: bytes) -> tuple[int, Any]:
        while True:
            connected, fresh = self._take()
            received = b""
            try:
                connected.sendall(request)
                while (found := parse(received)) is None:
                    received = _more(connected, received)
            except ConnectionError:
                connected.close()
                if fresh or received:
                    raise
                continue  # it was kept, and the engine has been started anew meanwhile
            except BaseException:
                connected.close()
                raise
            self._give_back(connected)
            return found[0], found[1]

    def upgrade(self, path: str, body: Any = None) -> tuple[socket.socket, bytes]:
        """Ask for a raw stream: its socket, and what has come of it already. Raises Refused, Gone, Timeout."""
        with self._errors():
            connected = self._connect()
            try:
                connected.sendall(self._request("POST", path, body, {"Connection": "Upgrade", "Upgrade": "tcp"}))
                received = _more(connected, b"")
                while _END not in received:
                    received = _more(connected, received)
                if int(received.split(b" ", 2)[1]) != 101:
                    while (found := parse(received)) is None:
                        received = _more(connected, received)
                    raise Refused(found[0], message(found[1], found[0]))
            except BaseException:
                connected.close()
                raise
        connected.setblocking(False)
        return connected, received.partition(_END)[2]

    def line(self, pump: Pump, lost: Callable[[], None]) -> Line:
        """A connection for answers that come when they come. Raises Gone."""
        with self._errors():
            return Line(self._connect(), self._request, pump, lost)

    def close(self) -> None:
        """Close what is kept, and keep nothing any more. Idempotent."""
        with self._lock:
            self._closed = True
            for connected in self._idle:
                connected.close()
            self._idle.clear()

    def _take(self) -> tuple[socket.socket, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
        return self._connect(), True

    def _give_back(self, connected: socket.socket) -> None:
        with self._lock:
            if self._closed:
                connected.close()
            else:
                self._idle.append(connected)

    def _versioned(self, path: str) -> str:
        return f"/v{self.version}{path}" if self.version else path

    def _connect(self) -> socket.socket:
        return self.address.connect(patience(_TIMEOUT))

    def _request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = _NONE) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        lines = {"Host": "docker", "Content-Type": "application/json", "Content-Length": len(data), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {self._versioned(path)} HTTP/1.1\r\n{head}\r\n".encode() + data

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise Timeout(f"Docker's engine at {self.address.url} does not answer", hint="look at its log") from error
        except (OSError, ValueError) as error:
            self.lost = True
            why = getattr(error, "strerror", None) or str(error) or "it hung up"
            raise Gone(self.address.url, why) from error


def _more(connected: socket.socket, received: bytes) -> bytes:
    data = connected.recv(_CHUNK)
    if not data:
        raise ConnectionResetError("it hung up")
    return received + data


class Line:
    """Questions on a connection of their own, one after the other, whose answers the pump brings."""

    def __init__(
        self, connected: socket.socket, request: Callable[..., bytes], pump: Pump, lost: Callable[[], None]
    ) -> None:
        self._socket, self._request, self._pump, self._lost = connected, request, pump, lost
        self._socket.setblocking(False)
        self._received = b""
        self._lock = Lock()
        self._waiting: list[Callable[[int, Any, int], None]] = []
        self._open = True
        pump.add(connected.fileno(), self._readable)

    def ask(self, method: str, path: str, then: Callable[[int, Any, int], None]) -> bool:
        """Ask; False when the engine has hung up. `then` is called with status, JSON and moment, on the pump's thread.

        A question of some hundred bytes fits into any socket's buffer, so this does not block.
        """
        with self._lock:
            if self._open:
                self._waiting.append(then)
                with suppress(OSError):  # it has hung up, which the pump is about to see
                    self._socket.send(self._request(method, path))
            return self._open

    def _readable(self) -> None:
        at_ns = monotonic_ns()
        with self._lock:
            if not self._open:
                return
            data = receive(self._socket)
            if data is None:
                return
            self._received = (self._received + data).lstrip(b"\r\n")  # the last line of an answer may come late
        if not data:
            self.close()
            self._lost()
            return
        try:
            while self._waiting and (found := parse(self._received)) is not None:
                status, value, length = found
                self._received = self._received[length:]
                self._waiting.pop(0)(status, value, at_ns)
        except ValueError:  # it is no engine, or not any more
            self.close()
            self._lost()

    def close(self) -> None:
        """Listen no more. Idempotent."""
        with self._lock:
            if self._open:
                self._open = False
                self._pump.remove(self._socket.fileno())
                self._socket.close()


def receive(connected: socket.socket) -> bytes | None:
    """What has come; nothing at the end, None when there is nothing yet."""
    try:
        data = connected.recv(_CHUNK)
        while isinstance(connected, ssl.SSLSocket) and connected.pending():  # of that, no descriptor tells
            data += connected.recv(_CHUNK)
        return data
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except OSError:
        return b""


def parse(received: bytes) -> tuple[int, Any, int] | None:
    """The first answer in some bytes: status, JSON, and how many bytes it takes; None while it is not complete.

    Raises ValueError for what is no HTTP/1.1 (RFC 9112).
    """
    head, end, _ = received.partition(_END)
    if not end:
        return None
    first, *lines = head.split(b"\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    status, at = int(first.split(b" ", 2)[1]), len(head) + len(end)
    if fields.get(b"transfer-encoding", b"").lower() != b"chunked":
        length = int(fields.get(b"content-length", b"0"))
        complete = len(received) >= at + length
        return (status, _json(received[at : at + length]), at + length) if complete else None
    content = b""
    while (line := received.find(b"\r\n", at)) >= 0:
        size, begins = int(received[at:line].partition(b";")[0], 16), line + 2
        at = begins + size + 2
        if len(received) < at:
            return None
        if size == 0:
            return status, _json(content), at
        content += received[begins : begins + size]
    return None


def message(value: Any, status: int) -> str:
    """Why the engine refuses, in its own words."""
    said = value.get("message") if isinstance(value, dict) else value
    return str(said or f"it answered {status}")


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace").strip()
