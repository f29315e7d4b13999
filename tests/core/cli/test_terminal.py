"""The caller's terminal: raw while a workload has it, and as before whatever happens."""

import os
import signal
import subprocess
import sys
import termios

import pytest
from isoscope.core.cli import terminal
from isoscope.core.cli.signals import Interrupted, Signals
from isoscope.core.errors import InputError


@pytest.fixture
def pty():
    master, slave = os.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_raw_is_raw_and_then_as_before(pty):
    _, slave = pty
    before = termios.tcgetattr(slave)
    with terminal.raw(slave):
        _, oflag, _, lflag, *_ = termios.tcgetattr(slave)
        assert lflag & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
        assert oflag & termios.OPOST == 0
    assert termios.tcgetattr(slave) == before
    with pytest.raises(ZeroDivisionError), terminal.raw(slave):
        raise ZeroDivisionError
    assert termios.tcgetattr(slave) == before


def test_a_terminal_that_has_gone_needs_no_restoring():
    master, slave = os.openpty()
    with terminal.raw(slave):
        os.close(slave)
        os.close(master)


def test_sizes_are_told_at_once_and_when_they_change(pty):
    master, slave = pty
    termios.tcsetwinsize(slave, (10, 20))
    told = []
    before = signal.getsignal(signal.SIGWINCH)
    with terminal.sizes(slave, lambda *size: told.append(size)):
        termios.tcsetwinsize(master, (30, 40))
        signal.raise_signal(signal.SIGWINCH)
    assert told == [(10, 20), (30, 40)]
    assert signal.getsignal(signal.SIGWINCH) == before


def test_t_needs_a_terminal(monkeypatch, pty):
    _, slave = pty
    with open(slave, closefd=False) as there, open(os.devnull) as nowhere:
        monkeypatch.setattr(sys, "stdin", there)
        assert terminal.require_terminal() == slave
        monkeypatch.setattr(sys, "stdin", nowhere)
        with pytest.raises(InputError, match="not a terminal"):
            terminal.require_terminal()
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(InputError, match="not a terminal"):
            terminal.require_terminal()


def test_signals_interrupt_until_they_are_forwarded_and_the_second_of_a_kind_kills():
    seen = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with Signals() as signals:
        with pytest.raises(Interrupted) as caught:
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.signal_number == signal.SIGTERM
        signals.forward(seen.append)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
    assert seen == [signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_signal_upon_the_first_output_is_held_until_there_is_somebody_to_pass_it_to():
    seen, runs = [], []
    with Signals() as signals:
        signals.hold(lambda: bool(runs))
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        runs.append(True)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted):
            signal.raise_signal(signal.SIGINT)
        signals.forward(seen.append)
        assert seen == [signal.SIGINT]
        signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT, signal.SIGKILL]


def test_a_signal_that_the_caller_ignores_stays_ignored():
    script = (
        "import signal; from isoscope.core.cli.signals import Signals\n"
        "with Signals(): signal.raise_signal(signal.SIGHUP); print('still here')"
    )
    ignoring = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", sys.executable, "-c", script]
    assert subprocess.run(ignoring, capture_output=True, text=True).stdout == "still here\n"
