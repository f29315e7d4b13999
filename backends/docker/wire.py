"""HTTP with an engine, where the SDK's own way of it would cost more than a trial may.

A request through the SDK costs some 0.8 ms of our time, by http.client on a kept connection 0.15 ms. And three things
that a start needs are events on a socket, for which the SDK has a thread that waits: output, the end, a late answer.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from time import monotonic_ns
from types import MappingProxyType
from typing import Any, Self

from isoscope.backends.docker.address import Address
from isoscope.backends.docker.faults import Gone, Refused
from isoscope.core.errors import Timeout
from isoscope.core.patience import patience
from isoscope.core.pump import Pump

_TIMEOUT = 60.0  #: seconds that an engine may take for an answer, on a host of usual speed
_CHUNK = 1 << 16
_NONE: Mapping[str, str] = MappingProxyType({})


class Wire:
    """Kept connections to one engine. Thread-safe."""

    def __init__(self, address: Address, version: str) -> None:
        self.address = address
        self.lost = False  #: whether the engine did not answer once
        self._prefix = f"/v{version}"
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = Lock()
        self._closed = False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask and wait for the answer: its JSON, or None. Raises Refused, Gone, Timeout."""
        data = None if body is None else json.dumps(body)
        headers = {} if data is None else {"Content-Type": "application/json"}
        with self._errors():
            status, content = self._exchange(method, self._prefix + path, data, headers)
        return answer(status, content)

    def _exchange(self, method: str, path: str, data: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        while True:
            connection, fresh = self._take()
            try:
                connection.request(method, path, data, headers)
                reply = connection.getresponse()
                content = reply.read()
            except (http.client.RemoteDisconnected, BrokenPipeError):
                connection.close()
                if fresh:
                    raise
                continue  # it was kept, and the engine has been started anew meanwhile
            except BaseException:
                connection.close()
                raise
            self._give_back(connection, keep=not reply.will_close)
            return reply.status, content

    def upgrade(self, path: str, body: Any = None) -> tuple[socket.socket, bytes]:
        """Ask for a raw stream: its socket, and what has come of it already. Raises Refused, Gone, Timeout."""
        with self._errors():
            connected = self._connect()
            try:
                connected.sendall(self._request("POST", path, body, {"Connection": "Upgrade", "Upgrade": "tcp"}))
                received = _more(connected, b"")
                while b"\r\n\r\n" not in received:
                    received = _more(connected, received)
                if int(received.split(b" ", 2)[1]) != 101:
                    while (found := parse(received)) is None:
                        received = _more(connected, received)
                    raise Refused(found[0], message(found[1], found[0]))
            except BaseException:
                connected.close()
                raise
        connected.setblocking(False)
        return connected, received.partition(b"\r\n\r\n")[2]

    def line(self, pump: Pump, lost: Callable[[], None]) -> Line:
        """A connection for answers that come when they come. Raises Gone."""
        with self._errors():
            return Line(self._connect(), self._request, pump, lost)

    def close(self) -> None:
        """Close what is kept, and keep nothing any more. Idempotent."""
        with self._lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    def _take(self) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
        connection = http.client.HTTPConnection("docker")
        connection.auto_open = 0
        connection.sock = self._connect()
        return connection, True

    def _give_back(self, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            if keep and not self._closed:
                self._idle.append(connection)
            else:
                connection.close()

    def _connect(self) -> socket.socket:
        return self.address.connect(patience(_TIMEOUT))

    def _request(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = _NONE) -> bytes:
        data = b"" if body is None else json.dumps(body).encode()
        lines = {"Host": "docker", "Content-Type": "application/json", "Content-Length": len(data), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {self._prefix}{path} HTTP/1.1\r\n{head}\r\n".encode() + data

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise Timeout(f"Docker's engine at {self.address.url} does not answer", hint="look at its log") from error
        except (OSError, http.client.HTTPException) as error:
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

    def ask(self, method: str, path: str, then: Callable[[int, Any, int], None]) -> None:
        """Ask. `then` is called with the status, the JSON and the moment, on the pump's thread.

        A question of some hundred bytes fits into any socket's buffer, so this does not block.
        """
        with self._lock:
            self._waiting.append(then)
            if self._open:
                try:
                    self._socket.send(self._request(method, path))
                except OSError:  # it has hung up, which the pump is about to see
                    return

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
        while self._waiting and (found := parse(self._received)) is not None:
            status, value, length = found
            self._received = self._received[length:]
            self._waiting.pop(0)(status, value, at_ns)

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


class _Source(io.BytesIO):
    """Bytes that http.client takes for a socket; what it has read to the end and closes can still be asked how far."""

    def makefile(self, mode: str) -> Self:
        return self

    def close(self) -> None:
        """Later, with the object."""


def parse(received: bytes) -> tuple[int, Any, int] | None:
    """The first answer in some bytes: status, JSON, and how many bytes it takes; None while it is not complete."""
    if b"\r\n\r\n" not in received:
        return None
    source = _Source(received)
    reply = http.client.HTTPResponse(source)  # type: ignore[arg-type]
    try:
        reply.begin()
        content = reply.read()
    except http.client.IncompleteRead:
        return None
    return reply.status, _json(content), source.tell()


def answer(status: int, content: bytes) -> Any:
    """The JSON of an answer, or None. Raises Refused."""
    value = _json(content)
    if status >= 400:
        raise Refused(status, message(value, status))
    return value


def message(value: Any, status: int) -> str:
    """Why the engine refuses, in its own words."""
    said = value.get("message") if isinstance(value, dict) else value
    return str(said or http.client.responses.get(status, status))


def _json(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace").strip()
