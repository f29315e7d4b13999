"""A plugin as anybody could install one: the fake backend, with a shell that knows the conformance suite's scripts."""

from __future__ import annotations

import os
import signal

from isoscope.testing import conformance, victim
from isoscope.testing.fake import FakePlugin
from isoscope.testing.fake_process import FakeProcess
from isoscope.testing.fake_programs import PROGRAMS


def both_streams(process: FakeProcess) -> int:
    process.write("out\n")
    process.write("err\n", "stderr")
    process.write(os.uname().release + "\n")
    return 3


def show_arguments(process: FakeProcess) -> None:
    variables = process.environment
    shown = [variables["ODD"], variables.get("EMPTY", "unset"), process.working_directory, variables["PATH"]]
    process.write("".join(f"{text}\0" for text in [*shown, *process.argv[4:]]))


def endless_lines(process: FakeProcess) -> None:
    process.write("up\n")
    process.tick(1000)


def count_until_term(process: FakeProcess) -> int:
    process.catches.add(signal.SIGTERM)
    count = 0
    while process.caught() is None:
        count += 1
        process.write(f"{count}\n")
        process.tick(0.02)
    process.write("bye\n")
    return 7


def deaf(process: FakeProcess) -> None:
    process.catches.add(signal.SIGTERM)
    process.write("up\n")
    while process.wait_signal():
        pass


def executed(process: FakeProcess) -> int:
    process.write(f"inside {process.environment['ODD']}\n")
    process.write("trouble\n", "stderr")
    return 5


def fork_many(process: FakeProcess) -> int:
    for _ in range(64):
        if not process.fork():
            process.write("sh: can't fork: Resource temporarily unavailable\n", "stderr")
            return 2
    process.write("forked all\n")
    return 0


def use_mounts(process: FakeProcess) -> None:
    for name in ("/in/read write/greeting", "/in/read-only/greeting", "/in/file"):
        process.write(process.path(name)[0].read_text())
    for name in ("/in/read write/new", "/in/read-only/new"):
        path, writable = process.path(name)
        if writable:
            path.write_text("new\n")
        else:
            process.write("refused\n")


def is_terminal(process: FakeProcess) -> int:
    if process.workload.terminal:
        process.write("terminal\r\n")
    return 0 if process.workload.terminal else 1


def show_devices(process: FakeProcess) -> None:
    process.write("Inter-| Receive\n face |bytes\n    lo: 0 0\n")


SCRIPTS = {
    conformance.BOTH_STREAMS: both_streams,
    conformance.SHOW_ARGUMENTS: show_arguments,
    conformance.ENDLESS_LINES: endless_lines,
    conformance.COUNT_UNTIL_TERM: count_until_term,
    conformance.DEAF: deaf,
    conformance.EXECUTED: executed,
    conformance.FORK_MANY: fork_many,
    conformance.USE_MOUNTS: use_mounts,
    conformance.IS_TERMINAL: is_terminal,
    conformance.SHOW_DEVICES: show_devices,
    victim.COMMAND[2]: endless_lines,
}


def shell(process: FakeProcess) -> int | None:
    return SCRIPTS[process.argv[2]](process)


def tail_of_zeroes(process: FakeProcess) -> None:
    size = 1 << 20
    while True:
        process.allocate(size)
        size *= 2


FAKE_IMAGE = {**PROGRAMS, "sh": shell, "tail": tail_of_zeroes}

_plugin = FakePlugin(programs=FAKE_IMAGE)
isoscope_register_backends = _plugin.isoscope_register_backends
isoscope_image_store = _plugin.isoscope_image_store
