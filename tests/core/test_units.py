import pytest
from hypothesis import given
from hypothesis import strategies as st
from isoscope.core.errors import InputError
from isoscope.core.units import format_duration, format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4096", 4096),
        ("64K", 64 << 10),
        ("256M", 256 << 20),
        ("256MiB", 256 << 20),
        ("256mb", 256 << 20),
        (" 1.5G ", 3 << 29),
    ],
)
def test_a_size_is_read_as_people_write_it(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "-1M", "1X", "1e3", "0", "0K", "9" * 30, "1 2M", "١M", "inf", "nan"])
def test_what_is_not_a_size_is_refused_with_a_hint(text):
    with pytest.raises(InputError) as caught:
        parse_size(text)
    assert caught.value.hint


@given(st.integers(1, (1 << 63) - 1))
def test_whole_bytes_are_exact(size):
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1 << 20, "1 MiB"), (3 << 29, "1.5 GiB"), (5 << 40, "5 TiB")]
)
def test_a_size_is_shown_in_the_unit_that_fits(size, text):
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("ns", "text"), [(12, "12 ns"), (1500, "1.5 µs"), (3_210_000, "3.21 ms"), (1.74e9, "1.74 s"), (125e9, "2 min 5 s")]
)
def test_a_span_is_shown_in_the_unit_that_fits(ns, text):
    assert format_duration(ns) == text
