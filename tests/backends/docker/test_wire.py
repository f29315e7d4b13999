from __future__ import annotations

import struct

import pytest
from isoscope.backends.docker.address import DEFAULT, Address
from isoscope.backends.docker.ending import ending, reason
from isoscope.backends.docker.stream import Frames
from isoscope.backends.docker.wire import parse
from isoscope.core import Exit


def frame(number: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", number, len(data)) + data


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_are_taken_apart_in_whatever_pieces_they_come(size: int) -> None:
    whole = frame(1, b"out") + frame(2, b"") + frame(2, b"trouble") + frame(1, b"put")
    frames = Frames()
    found = [piece for at in range(0, len(whole), size) for piece in frames.feed(whole[at : at + size])]
    texts = {name: b"".join(data for stream, data in found if stream == name) for name in ("stdout", "stderr")}
    assert texts == {"stdout": b"output", "stderr": b"trouble"}


def test_an_answer_is_none_until_it_is_complete() -> None:
    body = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"Status\r\n8\r\nCode":7}\r\n0\r\n\r\n'
    end = body.index(b"0\r\n\r\n")
    assert [parse(body[:length]) for length in range(end)] == [None] * end
    assert parse(body + b"HTTP/1.1 204") == (200, {"StatusCode": 7}, len(body))
    fixed = b'HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n{"message":"x"}'
    assert parse(fixed[:-1]) is None
    assert parse(fixed) == (404, {"message": "x"}, len(fixed))


@pytest.mark.parametrize(
    ("code", "how"), [(0, Exit(code=0)), (127, Exit(code=127)), (137, Exit(signal=9)), (255, Exit(code=255))]
)
def test_a_status_above_128_stands_for_a_signal(code: int, how: Exit) -> None:
    assert ending(code) == how


def test_the_reason_is_found_in_many_words() -> None:
    said = 'failed to create shim task: OCI runtime create failed: exec: "/": permission denied: unknown'
    assert reason(said) == "permission denied"
    assert reason("something else") == "something else"


def test_the_address_is_the_variants_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert Address.of("").url == DEFAULT
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    assert not Address.of("").local
    assert Address.of("unix:///x").local
