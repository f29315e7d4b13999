"""The caller's terminal: raw while a workload has it, and as before whatever happens."""

import os
import select
import signal
import subprocess
import sys
import termios

import pytest
from isoscope.core.cli import terminal
from isoscope.core.cli.signals import Interrupted, Signals
from isoscope.core.errors import InputError

from .conftest import SCRIPT, done, isoscope


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


def test_what_was_typed_ahead_is_not_lost(pty):
    master, slave = pty
    os.write(master, b"ahead\n")
    with terminal.raw(slave):
        assert os.read(slave, 100) == b"ahead\n"


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


class Screen:
    """A terminal of the test's own, on which a command is started as a shell would start it."""

    def __init__(self, *arguments):
        self.master, self.slave = os.openpty()
        termios.tcsetwinsize(self.slave, (30, 100))
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            ["setsid", "--ctty", SCRIPT, *arguments], stdin=self.slave, stdout=self.slave, stderr=self.slave
        )
        self.text = ""

    def until(self, text):
        """Read on until `text` has been shown, a minute at most; return what came with it."""
        while text not in self.text:
            ready, _, _ = select.select([self.master], [], [], 60)
            assert ready, f"{text!r} was not shown, but {self.text!r}"
            self.text += os.read(self.master, 4096).decode()
        shown, _, self.text = self.text.partition(text)
        return shown

    def type(self, text):
        os.write(self.master, text.encode())

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self.process.kill()
        self.process.wait(60)
        assert kind is not None or termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)


#: Waits for a new size, shows it, and ends. Quotes inside words keep what is typed apart from what is printed.
AWAIT_SIZE = """sh -c 'trap "stty size; kill \\$!; exit" WINCH; echo wait""ing; sleep 1000 & wait $!'\n"""


def a_session(screen):
    """What a person would try: it is a terminal, of the right size, which follows; and Ctrl-C is the command's."""
    screen.until("# ")
    screen.type("stty size; tty\n")
    screen.until("30 100")
    screen.until("/dev/")
    screen.type(AWAIT_SIZE)
    screen.until("waiting")
    termios.tcsetwinsize(screen.master, (40, 120))
    screen.until("40 120")
    screen.type("sh -c 'echo in\"\"side; sleep 1000'\n")
    screen.until("inside")
    screen.type("\x03exit 5\n")
    assert screen.process.wait(60) == 5


@pytest.mark.root
@pytest.mark.parametrize("variant", ["container", "process", pytest.param("vm", marks=pytest.mark.vm)])
def test_a_terminal_for_the_workload(stocked_home, variant):
    with Screen("run", "--rm", "-t", "-b", variant, "-e", "PS1=# ", "--", "sh") as screen:
        a_session(screen)


@pytest.mark.root
def test_a_terminal_for_a_second_command(stocked_home):
    done("run", "-d", "--name", "web", "-e", "PS1=# ", "--", "sleep", "1000")
    with Screen("exec", "-t", "web", "--", "sh") as screen:
        a_session(screen)
    done("rm", "-f", "web")


@pytest.mark.root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_restored_when_the_caller_is_told_to_end(stocked_home, number):
    script = "trap 'echo again' TERM HUP; echo ready; while :; do sleep 1000 & wait $!; done"
    with Screen("run", "--rm", "-t", "--", "sh", "-c", script) as screen:
        screen.until("ready")
        assert termios.tcgetattr(screen.slave) != screen.before
        screen.process.send_signal(number)
        screen.until("again")
        screen.process.send_signal(number)  # the second is SIGKILL
    assert screen.process.returncode == 137


@pytest.mark.root
def test_the_terminal_is_as_before_when_the_command_does_not_exist(stocked_home):
    with Screen("run", "--rm", "-t", "--", "nosuchcommand") as screen:
        screen.until("hint: ")
    assert screen.process.returncode == 127


@pytest.mark.root
def test_a_detached_terminal_is_of_a_size_of_its_own(stocked_home):
    done("run", "-d", "-t", "--name", "web", "--", "stty", "size")
    assert done("wait", "web") == "0\n"
    assert isoscope("logs", "web", text=False).stdout == b"24 80\r\n"
    done("rm", "web")
