"""Frames between host and guest."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isoscope.backends.vm import protocol
from isoscope.backends.vm.protocol import FrameReader, Kind, frame, parse_text, text
from isoscope.images import guest

HEADER = (Path(guest.__file__).parent / "init" / "frames.h").read_text()


def test_both_ends_have_the_same_numbers():
    kinds = {name: int(value) for name, value in re.findall(r"^\t([A-Z_]+) = (\d+),", HEADER, re.MULTILINE)}
    assert kinds == {kind.name: kind.value for kind in Kind}
    constants = {name: int(value) for name, value in re.findall(r"^#define ([A-Z_]+) (\d+)u?\b", HEADER, re.MULTILINE)}
    for name in ("MAIN_STREAM", "STDIN_WINDOW", "LARGEST"):
        assert getattr(protocol, name) == constants[name], name


@given(
    st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=200))), st.integers(1, 64)
)
def test_frames_survive_any_cut(frames, size):
    wire = b"".join(frame(*each) for each in frames)
    reader = FrameReader()
    pieces = [wire[at : at + size] for at in range(0, len(wire), size)]
    assert [each for piece in pieces for each in reader.feed(piece)] == frames


def test_a_frame_longer_than_any_of_ours_is_refused_before_it_is_kept():
    with pytest.raises(ValueError, match="bytes"):
        list(FrameReader().feed(struct.pack("<III", Kind.STDOUT, 1, protocol.LARGEST + 1)))


def test_text_carries_values_of_any_kind():
    pairs = [("a", "x=y\n z"), ("b", ""), ("c", "\udcff")]
    assert text(pairs) == b"a=x=y\n z\0b=\0c=\xff\0"
    assert parse_text(text(pairs[:2])) == dict(pairs[:2])
