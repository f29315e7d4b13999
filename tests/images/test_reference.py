from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isoscope.core.errors import InputError
from isoscope.images.reference import is_digest, is_digest_prefix, normalise


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("base", "base:latest"),
        ("base:v1.2_x-3", "base:v1.2_x-3"),
        ("a/b/c", "a/b/c:latest"),
        ("a__b.c--d", "a__b.c--d:latest"),
        ("docker.io/library/redis:7", "redis:7"),
        ("docker.io/me/tool", "me/tool:latest"),
        ("localhost:5000/me/tool:x", "localhost:5000/me/tool:x"),
        ("localhost/tool", "localhost/tool:latest"),
        ("Registry.example:443/tool", "Registry.example:443/tool:latest"),
    ],
)
def test_names_get_their_tag_and_lose_what_docker_leaves_out(text: str, name: str) -> None:
    assert normalise(text) == name
    assert normalise(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "Base",
        "a:",
        "a:b:c",
        "../a",
        "a/../b",
        "/a",
        "a/",
        "a b",
        "a\n",
        "-a",
        "a_",
        "a..b",
        "a:-x",
        "x" * 256,
        "ä",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        normalise(text)


@given(st.text(max_size=300))
def test_a_name_never_leads_anywhere(text: str) -> None:
    try:
        name = normalise(text)
    except InputError:
        return
    assert ".." not in name
    assert not name.startswith(("/", "-"))
    assert name.isascii()
    assert name.isprintable()


def test_digests() -> None:
    assert is_digest("sha256:" + "a" * 64)
    assert not is_digest("sha256:" + "a" * 63)
    assert not is_digest("sha256:" + "A" * 64)
    assert not is_digest("md5:" + "a" * 32)
    assert is_digest_prefix("sha256:abcd")
    assert is_digest_prefix("abcd")
    assert not is_digest_prefix("abc")
    assert not is_digest_prefix("../a")
