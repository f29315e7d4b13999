"""The keeper of one detached instance: `python -m isoscope.core.shim HOME SOCKET`, started by `isoscope.core.detach`.

It is a session of its own, gets its orders over the socket, and ends with its instance. Until whoever started it has
heard of the success it is bound to him: when he goes, the instance goes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from isoscope.core.control import pack_error, receive, send
from isoscope.core.errors import InstanceFailed, IsoscopeError
from isoscope.core.instance import Instance
from isoscope.core.keeper import Keeper
from isoscope.core.lab import Lab
from isoscope.core.variant import Variant
from isoscope.core.workload import Workload

_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    """Leave the parent, take the orders, and keep the instance until it ends."""
    home, descriptor = Path(arguments[0]), int(arguments[1])
    if os.fork():
        os._exit(0)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s")
    connection = socket.socket(fileno=descriptor)
    connection.set_inheritable(False)
    received = receive(connection)
    if received is not None:
        _keep(home, connection, received[0])


def _keep(home: Path, connection: socket.socket, orders: dict[str, Any]) -> None:
    with Lab(home, libvirt_uri=orders["libvirt_uri"]) as lab:
        starter = _Starter(connection)
        try:
            keeper = _make(lab, orders, starter)
        except BaseException as error:
            starter.tell({"error": pack_error(_understood(error))})
            return
        try:
            _take_signals(keeper)
            starter.tell({"result": keeper.record.name})
            if starter.has_heard():
                keeper.run()
            else:
                keeper.remove = True
        finally:
            keeper.release()


def _make(lab: Lab, orders: dict[str, Any], starter: _Starter) -> Keeper:
    """The instance as ordered, served and perhaps started. What fails leaves nothing."""
    workload = Workload.from_dict(orders["workload"])
    instance = lab.create(workload, Variant.parse(orders["variant"]), name=orders["name"])
    keeper = Keeper(instance, remove=orders["remove"])
    try:
        _log_beside(instance)
        keeper.serve()
        if orders["start"]:
            keeper.start()
        starter.let_go()
    except BaseException:
        keeper.remove = True
        keeper.release()
        raise
    return keeper


def _log_beside(instance: Instance) -> None:
    """Have whatever this process still says go into a file beside the record."""
    descriptor = os.open(instance.record.directory / "shim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _take_signals(keeper: Keeper) -> None:
    """What asks this process to end asks its workload."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: keeper.signal(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _understood(error: BaseException) -> IsoscopeError:
    if isinstance(error, IsoscopeError):
        return error
    _log.error("defect", exc_info=error)
    return InstanceFailed(f"defect in isoscope: {type(error).__name__}: {error}", hint="please report it")


class _Starter:
    """Whoever started this process, and waits for the outcome. His going interrupts what the main thread is making."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard = False
        self._bound = True
        signal.signal(signal.SIGINT, self._interrupt)
        self._listener = threading.Thread(target=self._listen, name="isoscope-starter", daemon=True)
        self._listener.start()

    def let_go(self) -> None:
        """It is made: from now on his going interrupts nothing, and `has_heard` tells of it."""
        self._bound = False

    def tell(self, outcome: dict[str, Any]) -> None:
        """Report the outcome."""
        self._bound = False
        with contextlib.suppress(OSError):
            send(self._connection, outcome)

    def has_heard(self) -> bool:
        """Whether the outcome arrived."""
        self._listener.join()
        return self._heard

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._bound:
            raise KeyboardInterrupt

    def _listen(self) -> None:
        with contextlib.suppress(OSError, IsoscopeError):
            self._heard = receive(self._connection) is not None
        if not self._heard and self._bound:
            os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    main(sys.argv[1:])
