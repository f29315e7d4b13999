"""How packages of a newer suite are asked for: on the terms of the host's own source."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest
from isoscope.core.errors import HostError
from isoscope.rig import suite as suites
from isoscope.rig.suite import Source, download, source

DEB822 = """\
# The first paragraph.
Types: deb
URIs: http://other/
Suites: x
Components: main
Signed-By: /other.gpg

# Suites: commented out
Types: deb deb-src
URIs: http://d/debian http://e/debian
# within a paragraph
Suites: bookworm
 bookworm-updates
Components: main contrib
Architectures: amd64
Trusted: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJ
 -----END PGP PUBLIC KEY BLOCK-----
check-valid-until: no
"""

TERMS = """\
Types: deb
URIs: http://d/debian/
Suites: newer
Components: main
Trusted: yes
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEYCQjIxYJ
 -----END PGP PUBLIC KEY BLOCK-----
check-valid-until: no
"""


def entry(path: Path, text: str, number: int) -> Source:
    path.write_text(text)
    return Source(f"{path}:{number}", "http://d/debian/")


def test_the_terms_of_a_paragraph_are_kept(tmp_path: Path) -> None:
    assert entry(tmp_path / "a.sources", DEB822, 2).of_suite("newer") == (".sources", TERMS)


def test_the_options_of_a_line_are_kept(tmp_path: Path) -> None:
    text = "# mirrors\n\ndeb [ signed-by=/k.gpg trusted=yes ] http://d/debian bookworm main contrib\ndeb http://e x y\n"
    line = "deb [ signed-by=/k.gpg trusted=yes ] http://d/debian/ newer main\n"
    assert entry(tmp_path / "a.list", text, 3).of_suite("newer") == (".list", line)
    assert entry(tmp_path / "a.list", text, 4).of_suite("newer") == (".list", "deb  http://d/debian/ newer main\n")


@pytest.mark.parametrize("name", ["a.list", "a.sources"])
def test_an_entry_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostError, match="cannot read apt's source"):
        entry(tmp_path / name, "", 7).of_suite("newer")


def test_the_source_is_that_of_this_release(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (
        "/l:1\tDocker\tbookworm\tmain\thttp://other/\n/l:2\tDebian\tbookworm-updates\tmain\thttp://u/\n"
        "/l:3\tDebian\tbookworm\tcontrib\thttp://c/\n/l:4\tDebian\tbookworm\tmain\thttp://d/x/\n"
    )
    monkeypatch.setattr(suites, "run", lambda *_, **__: answer)
    monkeypatch.setattr(suites.platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "bookworm"})
    assert source() == Source("/l:4", "http://d/x/")


def test_no_source_of_this_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "run", lambda *_, **__: "short line\n")
    with pytest.raises(HostError, match="no source for this release"):
        source()


def test_this_hosts_own_source_can_be_read() -> None:
    suffix, text = source().of_suite("newer")
    assert suffix in (".list", ".sources")
    assert "newer" in text


def test_a_package_is_fetched_and_the_hosts_apt_is_as_before(tmp_path: Path) -> None:
    def state() -> dict[Path, int]:
        kept = (Path("/var/lib/apt/lists"), Path("/var/cache/apt"), Path("/var/lib/dpkg/status"))
        return {path: path.stat().st_mtime_ns for above in kept for path in (above, *above.glob("*"))}

    before, release = state(), platform.freedesktop_os_release()["VERSION_CODENAME"]
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    [package] = download(["seabios"], release, tmp_path / "one")
    assert package.read_bytes().startswith(b"!<arch>\n")
    with pytest.raises(HostError, match="isoscope-no-such-package"):
        download(["isoscope-no-such-package"], release, tmp_path / "other")
    assert state() == before
