"""Where an engine listens, as DOCKER_HOST has it, and how a socket to it is opened."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from isoscope.core.errors import InputError

DEFAULT = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Address:
    """One engine's. TLS is spoken where the environment asks for it, as docker(1) does: DOCKER_TLS_VERIFY."""

    url: str  #: `unix://PATH` or `tcp://HOST:PORT`

    @classmethod
    def of(cls, option: str) -> Self:
        """What a variant names, else DOCKER_HOST, else the socket of Debian's package. Raises InputError."""
        url = option or os.environ.get("DOCKER_HOST") or DEFAULT
        parts = urlsplit(url)
        if parts.scheme == "ssh":
            raise InputError(
                f"an engine over ssh, {url!r}, cannot be measured",
                hint="forward its socket: ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST, and name that",
            )
        if not ((parts.scheme == "unix" and parts.path) or (parts.scheme == "tcp" and parts.hostname)):
            raise InputError(f"{url!r} is not an engine's address", hint="write unix:///PATH or tcp://HOST:PORT")
        return cls(url)

    @property
    def local(self) -> bool:
        """Whether the engine's processes and files are this host's, as far as its address tells."""
        return self.url.startswith("unix://")

    def tls(self) -> Any:
        """The SDK's settings of TLS, or False: DOCKER_TLS_VERIFY and DOCKER_CERT_PATH. Raises DockerException."""
        from docker.utils import kwargs_from_env

        return False if self.local else kwargs_from_env().get("tls", False)

    def connect(self, timeout: float) -> socket.socket:
        """A new connection. Raises OSError."""
        if self.local:
            return _unix(urlsplit(self.url).path, timeout)
        parts = urlsplit(self.url)
        tls = self.tls()
        connected = socket.create_connection((parts.hostname, parts.port or (2376 if tls else 2375)), timeout)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _secured(connected, tls, parts.hostname) if tls else connected


def _unix(path: str, timeout: float) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout)
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def _secured(connected: socket.socket, tls: Any, host: str | None) -> socket.socket:
    try:
        context = ssl.create_default_context(cafile=tls.ca_cert)
        context.check_hostname = bool(tls.verify)
        if not tls.verify:
            context.verify_mode = ssl.CERT_NONE
        if tls.cert:
            context.load_cert_chain(*tls.cert)
        return context.wrap_socket(connected, server_hostname=host)
    except BaseException:
        connected.close()
        raise
