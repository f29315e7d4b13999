"""One engine, as the SDK and our own wire reach it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isoscope.backends.docker.address import Address
from isoscope.backends.docker.faults import SDK, Gone, Refused
from isoscope.backends.docker.wire import Wire
from isoscope.core.errors import BackendUnavailable
from isoscope.core.patience import patience

#: Seconds for taking in an image of any size.
_LOAD = 600.0

#: Beginnings of the names that engines give to runtimes whose kernel is not the host's: gVisor's, and Kata's.
_SANDBOXES = ("runsc", "io.containerd.runsc", "gvisor", "kata", "io.containerd.kata")


class Engine:
    """Connections to one engine, and what it says of itself. Thread-safe. Raises Gone when it cannot be reached."""

    def __init__(self, address: Address) -> None:
        try:
            import docker
        except ImportError as error:
            raise BackendUnavailable(SDK.what, hint=SDK.remedy) from error
        self.address = address
        self.wire = Wire(address)
        self.wire.version = self.wire.call("GET", "/version")["ApiVersion"]
        with self.speaking():
            self.sdk = docker.APIClient(
                address.url, version=self.wire.version, timeout=int(patience(_LOAD)), tls=address.tls()
            )
            # Or certificates and proxies that the environment has for the web would stand in for the engine's own.
            self.sdk.trust_env = False
            self.info: Mapping[str, Any] = self.sdk.info()

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """What the SDK raises in the block, as our errors: Refused or Gone."""
        from docker.errors import APIError, DockerException

        try:
            yield
        except APIError as error:
            raise Refused(error.status_code or 500, str(error.explanation or error)) from error
        except (DockerException, OSError) as error:  # those of requests are OSErrors, too
            raise Gone(self.address.url, str(error)) from error

    @property
    def lost(self) -> bool:
        """Whether it did not answer once, so that it may be another one, and hold other images, when it does again."""
        return self.wire.lost

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"Docker {self.info['ServerVersion']}"

    def runtime(self, chosen: str) -> str:
        """The runtime that is used when `chosen` is asked for; empty means the engine's own choice."""
        return chosen or str(self.info["DefaultRuntime"])

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self.wire.close()
        self.sdk.close()


def has_own_kernel(runtime: str) -> bool:
    """Whether a runtime of that name puts a kernel of its own between the workload and the host."""
    return runtime.startswith(_SANDBOXES)
