"""`studies.toml`: who published the figures, where, and on what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from isoscope.core.errors import NotFound


@dataclass(frozen=True)
class Study:
    """A publication."""

    name: str  #: as `figures.csv` calls it: `felter2014`
    authors: str
    title: str
    venue: str
    year: int
    host: str  #: what it was measured on; what it does not tell is said
    url: str = ""
    doi: str = ""
    data: str = ""  #: the repository of the authors' own scripts and measurements

    @property
    def citation(self) -> str:
        """Authors, title, venue and year in a line."""
        return f"{self.authors}: {self.title}. {self.venue}, {self.year}"

    @property
    def link(self) -> str:
        """Where it is to be found; empty when nobody knows."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url


def study(name: str) -> Study:
    """The study of that name. Raises NotFound, with the names that are nearest."""
    try:
        return studies()[name]
    except KeyError:
        raise NotFound(f"there is no study {name!r}", hint=nearest(name, studies())) from None


def nearest(name: str, known: Mapping[str, object]) -> str:
    """A hint for a name that is not known: those that look like it, or all."""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known)}"


@cache
def studies() -> Mapping[str, Study]:
    """Every study by name, in the order of the file."""
    import tomllib

    text = (files("isoscope.benchmarks.published") / "studies.toml").read_text(encoding="utf-8")
    return {name: Study(name, **fields) for name, fields in tomllib.loads(text).items()}
