"""What a foreground command does with signals: they are the workload's, as soon as there is one."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interrupted(KeyboardInterrupt):
    """A signal asked to end before there was a workload to pass it on to."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


class Signals:
    """While this context lasts, signals that ask to end raise Interrupted, are held, or go where `forward` says.

    The second of a kind is passed on as SIGKILL: the first process of a PID namespace ignores what it has no handler
    for (pid_namespaces(7)), and there must be a way out.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._seen: list[int] = []
        self._send: Callable[[int], object] | None = None
        self._runs: Callable[[], bool] = lambda: False

    def hold(self, runs: Callable[[], bool] = lambda: True) -> None:
        """From now on, keep signals for `forward` when `runs()` says that the workload may be running already.

        The workload's output can be seen before whoever started it is told that it runs; a signal sent upon that
        output is the workload's, too. The second of a kind still raises Interrupted.
        """
        self._runs = runs

    def forward(self, send: Callable[[int], object]) -> None:
        """From now on, call `send` with each signal; first with those that were held."""
        self._send = send
        for number in self._seen:
            send(number)

    def __enter__(self) -> Self:
        for number in FORWARDED:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) and `&` in sh mean what they say
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again = number in self._seen
        if self._send is None and (again or not self._runs()):
            raise Interrupted(number)
        self._seen.append(number)
        if self._send is not None:
            self._send(signal.SIGKILL if again else number)
