"""The caller's end of a command's standard streams, read all the time so that nobody ever waits for the reader."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from isoscope.core.output import Stdio


class Channel:
    """Pipes to hand to `Lab.create` or `Instance.exec`; what arrives is kept. Use it as a context manager."""

    def __init__(self, stdin: bytes | None = None, *, terminal: bool = False) -> None:
        """`stdin` is what the command is to read, up to its end; for a terminal, standard input stays open instead."""
        self._changed = threading.Condition()
        self._seen = {"stdout": bytearray(), "stderr": bytearray()}
        self._writers: list[int] = []
        self._threads: list[threading.Thread] = []
        for stream in self._seen:
            reader, writer = os.pipe2(os.O_CLOEXEC)
            self._writers.append(writer)
            self._run(self._read, reader, stream)
        self._stdin = -1
        if stdin is not None or terminal:
            self._stdin, feeder = os.pipe2(os.O_CLOEXEC)
            if terminal:
                self._writers.append(feeder)
            else:
                self._run(self._feed, feeder, stdin or b"")
        self.stdio = Stdio(self._stdin if self._stdin >= 0 else None, self._writers[0], self._writers[1])

    def read_until(self, marker: bytes, timeout: float) -> bytes:
        """What came on standard output, as soon as `marker` is in it. Fails after `timeout` seconds."""
        with self._changed:
            found = self._changed.wait_for(lambda: marker in self._seen["stdout"], timeout)
            assert found, (
                f"{marker!r} did not come within {timeout} s; what came: {bytes(self._seen['stdout'][-500:])!r}"
            )
            return bytes(self._seen["stdout"])

    def grows(self, timeout: float) -> bool:
        """Whether anything more comes on standard output within `timeout` seconds."""
        with self._changed:
            before = len(self._seen["stdout"])
            return self._changed.wait_for(lambda: len(self._seen["stdout"]) > before, timeout)

    def finish(self) -> tuple[bytes, bytes]:
        """All that came on standard output and standard error. To be called when the command has ended."""
        self.close()
        return bytes(self._seen["stdout"]), bytes(self._seen["stderr"])

    def close(self) -> None:
        """Close the pipes. Idempotent."""
        for fd in [*self._writers, self._stdin]:
            if fd >= 0:
                os.close(fd)
        self._writers, self._stdin = [], -1
        for thread in self._threads:
            thread.join(10)

    def _run(self, body: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=body, args=arguments, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _read(self, fd: int, stream: str) -> None:
        while piece := os.read(fd, 1 << 16):
            with self._changed:
                self._seen[stream] += piece
                self._changed.notify_all()
        os.close(fd)

    def _feed(self, fd: int, data: bytes) -> None:
        with suppress(BrokenPipeError):  # the command ended without reading all of it
            while data:
                data = data[os.write(fd, data) :]
        os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
