"""What is read off a guest's serial console."""

from __future__ import annotations

import pytest
from isoscope.backends.vm import console
from isoscope.backends.vm.console import Console


class Signs:
    def __init__(self, path):
        self.kernel: list[int] = []
        self.init: list[int] = []
        self.console = Console(path, self.kernel.append, self.init.append)


@pytest.fixture
def signs(tmp_path):
    signs = Signs(tmp_path / "log")
    yield signs
    signs.console.close()


def test_the_first_byte_and_the_inits_word_are_signs_once(signs):
    signs.console.received(b"")
    assert signs.kernel == []
    signs.console.received(b"[    0.000000] Linux version\r\nisosc")
    assert len(signs.kernel) == 1
    assert signs.init == []
    signs.console.received(b"ope-init: running\r\n")
    signs.console.received(b"isoscope-init: running\r\n")
    assert (len(signs.kernel), len(signs.init)) == (1, 1)
    assert signs.init[0] >= signs.kernel[0]


def test_the_tail_can_be_printed_whatever_the_guest_wrote(signs):
    assert signs.console.tail() == "(nothing)"
    signs.console.received(b"".join(b"line %d\r\n" % i for i in range(50)) + b"\x1b]0;title\x07\xff last\r\n")
    lines = signs.console.tail().splitlines()
    assert len(lines) == 12
    assert lines[-2] == "line 49"
    assert lines[-1] == "]0;title\ufffd last"


def test_the_log_does_not_grow_for_ever(signs, tmp_path):
    for _ in range(40):
        signs.console.received(b"x" * 65536)
    assert (tmp_path / "log").stat().st_size <= console._LARGEST_LOG + 65536
    signs.console.received(b"\r\nlast words\r\n")
    assert signs.console.tail().splitlines()[-1] == "last words"
    signs.console.close()
    signs.console.close()
    signs.console.received(b"too late")
