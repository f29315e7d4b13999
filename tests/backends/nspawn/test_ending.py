"""How a command under systemd-nspawn ended: as the kernel tells it, and as systemd-nspawn does."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from isoscope.backends.nspawn import ending
from isoscope.backends.nspawn.ending import LastWords
from isoscope.core import Exit

MACHINE = "isoscope-0123456789ab"
KILLED = f"Container {MACHINE} terminated by signal KILL.\n".encode()
ON_DISK = (
    f'Attempted to remove disk file system under "/run/systemd/nspawn/propagate/{MACHINE}", and we can\'t.\n'.encode()
)


@pytest.mark.parametrize(
    ("script", "how"), [("exit 133", Exit(code=133)), ("kill -TERM $$", Exit(signal=signal.SIGTERM))]
)
def test_the_kernel_tells_what_another_has_reaped(script, how):
    with subprocess.Popen(["sh", "-c", script]) as process:
        pidfd = os.pidfd_open(process.pid)
        try:
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
            assert ending.from_kernel(pidfd) is None, "it has not been reaped yet"
            process.wait()
            told = ending.from_kernel(pidfd)
        finally:
            os.close(pidfd)
    if told is None and tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 15):
        pytest.skip("this kernel does not tell it")
    assert told == how


def test_where_it_does_not_the_peers_own_words_name_the_signal():
    assert ending.from_words(1, KILLED) == Exit(signal=signal.SIGKILL)
    assert ending.from_words(1, KILLED.replace(b"KILL", b"SEGV") + ON_DISK) == Exit(signal=signal.SIGSEGV)
    assert ending.from_words(1, KILLED.replace(b"KILL", b"NONSENSE")) == Exit(code=1)
    assert ending.from_words(7, b"") == Exit(code=7)


def test_its_last_words_are_not_the_commands():
    words = LastWords(MACHINE)
    assert words.pass_on(b"err\n" + KILLED + ON_DISK) == b"err\n"
    assert words.held == KILLED + ON_DISK


def test_a_command_that_left_its_line_unfinished_keeps_it():
    words = LastWords(MACHINE)
    assert words.pass_on(b"no end") == b"no end"
    assert words.pass_on(KILLED) == b""
    assert words.held == KILLED


def test_a_terminal_gives_them_in_pieces():
    words = LastWords(MACHINE)
    text = b"out\r\n" + (KILLED + ON_DISK).replace(b"\n", b"\r\r\n")
    pieces = text[:30], text[30:100], text[100:130], text[130:]
    assert b"".join(map(words.pass_on, pieces)) == b"out\r\n"


@pytest.mark.parametrize("more", [b"and on it goes", b"\n", KILLED + b"x"])
def test_what_is_followed_by_more_was_the_commands(more):
    words = LastWords(MACHINE)
    assert words.pass_on(b"a" + KILLED) == b"a"
    assert words.pass_on(more) == KILLED + more
    assert words.held == b""


def test_another_containers_end_is_the_commands_output():
    words = LastWords(MACHINE)
    line = KILLED.replace(b"0123", b"3210")
    assert words.pass_on(line) == line
