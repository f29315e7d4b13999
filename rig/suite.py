"""Packages of a newer suite, fetched as apt fetches this release's, without the host's apt knowing of the suite."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from isoscope.core.errors import HostError
from isoscope.images.guest.tools import run

#: Fields of deb822-style entries that say what is fetched, not on which terms; sources.list(5).
_WHAT = frozenset({"types", "uris", "suites", "components", "enabled", "architectures", "languages", "targets"})

#: Hooks of the host's that have nothing to do with lists of ours; lists can only be cleared in a file, apt.conf(5).
_NO_HOOKS = "".join(f"#clear APT::Update::{hook};\n" for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"))

_FIELDS = ("SOURCESENTRY", "ORIGIN", "CODENAME", "COMPONENT", "REPO_URI")


@dataclass(frozen=True)
class Source:
    """Where apt takes this release from: the newer suite stands beside it."""

    entry: str  #: the file that names it, a colon, and the number of the line, or of the paragraph in a .sources file
    uri: str

    def of_suite(self, suite: str) -> tuple[str, str]:
        """A sources file for another suite on the same terms (keys, trust, checks): its suffix and its text.

        Raises HostError when the entry cannot be read.
        """
        path, _, number = self.entry.rpartition(":")
        try:
            text = Path(path).read_text()
            if path.endswith(".sources"):
                return ".sources", self._paragraph(_paragraphs(text)[int(number) - 1], suite)
            return ".list", self._line(text.splitlines()[int(number) - 1], suite)
        except (OSError, UnicodeDecodeError, ValueError, IndexError) as error:
            raise HostError(f"cannot read apt's source {self.entry}: {error}", hint="see sources.list(5)") from error

    def _paragraph(self, lines: Sequence[str], suite: str) -> str:
        ours = ["Types: deb", f"URIs: {self.uri}", f"Suites: {suite}", "Components: main"]
        return "".join(f"{line}\n" for line in (*ours, *_terms(lines)))

    def _line(self, line: str, suite: str) -> str:
        options = re.match(r"\s*deb(?:-src)?\s+(\[.*?\])", line)
        return f"deb {options[1] if options else ''} {self.uri} {suite} main\n"


def download(packages: Sequence[str], suite: str, scratch: Path) -> list[Path]:
    """Fetch packages of a suite, without what they depend on, into an empty directory. Returns the files.

    apt is configured as the host is (proxies, keys, credentials), but for its sources, and for what it keeps. Raises
    HostError when apt has no source for this release, or the mirror none of the packages.
    """
    suffix, entry = source().of_suite(suite)
    sources, hooks, status = scratch / f"newer{suffix}", scratch / "apt.conf", scratch / "status"
    sources.write_text(entry)
    hooks.write_text(_NO_HOOKS)
    status.touch()  # what the host has installed, and prefers, says nothing about the rig
    for name in ("lists", "archives", "packages"):
        (scratch / name).mkdir()
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": scratch / "lists",
        "Dir::State::status": status,
        "Dir::Cache::archives": scratch / "archives",
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Acquire::Retries": "3",
        "APT::Update::Error-Mode": "any",  # else a list that cannot be fetched is only warned about
        "APT::Sandbox::User": "root",  # whose own user could not write below the state directory
    }
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    run("apt-get", "--quiet=2", "-c", hooks, *settings, "update")
    run("apt-get", "--quiet=2", "-c", hooks, *settings, "download", *packages, cwd=scratch / "packages")
    return sorted((scratch / "packages").glob("*.deb"))


def source() -> Source:
    """The source of this release itself among those that apt has. Raises HostError when there is none."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    form = "\t".join(f"$({name})" for name in _FIELDS)
    for line in run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines():
        entry, origin, name, component, uri = (*line.split("\t"), *[""] * len(_FIELDS))[: len(_FIELDS)]
        if (origin, name, component) == ("Debian", codename, "main"):
            return Source(entry, uri)
    raise HostError("apt has no source for this release of Debian", hint="see sources.list(5), and run apt-get update")


def _paragraphs(text: str) -> list[list[str]]:
    """The paragraphs of a deb822-style file without its comments, which end no paragraph; deb822(5)."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [part.strip("\n").splitlines() for part in re.split(r"\n[ \t]*\n", lines) if part.strip()]


def _terms(lines: Sequence[str]) -> Iterator[str]:
    """The fields of a paragraph, continuation lines included, that are not about what is fetched."""
    kept = False
    for line in lines:
        if not line.startswith((" ", "\t")):
            kept = line.partition(":")[0].strip().lower() not in _WHAT
        if kept:
            yield line
