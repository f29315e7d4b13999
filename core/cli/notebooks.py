"""The notebooks of the course: those that are installed, and the user's own copies of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from isoscope.core.errors import HostError

#: In the folder of the copies: which contents of each notebook the user has been given already.
_GIVEN = ".given.json"


@dataclass(frozen=True)
class Notebook:
    """One lesson, as it is installed."""

    name: str  #: of its file
    title: str
    aim: str  #: what one can do after it
    content: bytes

    @property
    def digest(self) -> str:
        """Names the content."""
        return hashlib.sha256(self.content).hexdigest()


def installed() -> list[Notebook]:
    """The notebooks that came with this version, in the order of the course."""
    found = (file for file in files("isoscope.notebooks").iterdir() if file.name.endswith(".ipynb"))
    return [_read(file.name, file.read_bytes()) for file in sorted(found, key=lambda file: file.name)]


def _read(name: str, content: bytes) -> Notebook:
    """The first cell has the title as its heading, and the aim in the paragraph below."""
    first = "".join(json.loads(content)["cells"][0]["source"])
    heading, _, rest = first.partition("\n\n")
    return Notebook(name, heading.lstrip("# "), " ".join(rest.partition("\n\n")[0].split()), content)


def deliver(notebooks: list[Notebook], directory: Path) -> Iterator[Path]:
    """Copy what the user does not have yet; yields each file that is written.

    A file that is there is never written to: a version that was not given before goes beside it, under a name of its
    own. Raises HostError.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        given = _given(directory)
        for notebook in notebooks:
            known = given.setdefault(notebook.name, [])
            if notebook.digest not in known or not (directory / notebook.name).exists():
                yield _write(directory, notebook)
            if notebook.digest not in known:
                known.append(notebook.digest)
        partial = directory / f"{_GIVEN}.new"
        partial.write_text(json.dumps(given, indent=2) + "\n")
        partial.replace(directory / _GIVEN)
    except OSError as error:
        raise HostError(
            f"cannot copy the notebooks to {directory}: {error.strerror}", hint="choose another place with --directory"
        ) from error


def _given(directory: Path) -> dict[str, list[str]]:
    try:
        found: dict[str, list[str]] = json.loads((directory / _GIVEN).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _write(directory: Path, notebook: Notebook) -> Path:
    """Into the first name that is free: the notebook's own, or that with a number."""
    stem = notebook.name.removesuffix(".ipynb")
    names = [notebook.name, *(f"{stem}.new{count or ''}.ipynb" for count in range(100))]
    for path in (directory / name for name in names):
        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        with open(target, "wb") as file:
            file.write(notebook.content)
        return path
    raise HostError(f"there are a hundred copies of {notebook.name} in {directory}", hint="remove some")
