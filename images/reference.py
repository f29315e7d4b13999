"""Names of images, in the grammar of the OCI distribution specification and of Docker: `[HOST/]NAME[:TAG]`."""

from __future__ import annotations

import re

from isoscope.core.errors import InputError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:))(?::[0-9]{1,5})?/"
_NAME = re.compile(
    rf"(?P<name>(?:{_HOST})?{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?"
)
_DIGEST = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_PREFIX = re.compile(r"(?:sha256:|sha512:)?[0-9a-f]{4,128}")
_LONGEST = 255


def is_digest(text: str) -> bool:
    """Whether the text is a whole digest of an algorithm that we verify."""
    return _DIGEST.fullmatch(text) is not None


def is_digest_prefix(text: str) -> bool:
    """Whether the text may be the beginning of a digest, with or without its algorithm."""
    return _PREFIX.fullmatch(text) is not None


def normalise(text: str) -> str:
    """`NAME:TAG`, the tag `latest` when there is none, and without the prefixes that Docker leaves out, too.

    Raises InputError for anything that is not a name.
    """
    match = _NAME.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise InputError(
            f"{text!r} is not an image name", hint="write NAME or NAME:TAG in lower case, or the start of a digest"
        )
    name = match["name"].removeprefix("docker.io/library/").removeprefix("docker.io/")
    return f"{name}:{match['tag'] or 'latest'}"
