"""A benchmark with options, as it is asked for: `disk:size=1G,runtime=30`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isoscope.core.errors import InputError
from isoscope.core.variant import named_options


@dataclass(frozen=True)
class BenchmarkOption:
    """An option that a benchmark takes. All values are text until the benchmark reads them."""

    name: str
    help: str
    default: str
    quick: str | None = None  #: what `--quick` takes in place of the default
    #: Reads a value. Raises InputError when it cannot be one.
    read: Callable[[str], Any] = str


@dataclass(frozen=True)
class Request:
    """A benchmark's name and the options that were written behind it."""

    benchmark: str
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Request:
        """Read `NAME[:KEY=VALUE[,KEY=VALUE]...]`. Raises InputError."""
        return cls(*named_options(text, kind="benchmark"))

    @classmethod
    def parse_list(cls, texts: Iterable[str]) -> list[Request]:
        """Read texts that may hold several each: `density,disk:size=1G,runtime=5,network`. Raises InputError.

        A comma goes before another option where an equals sign follows, and before another benchmark where none does.
        """
        found: list[str] = []
        for text in texts:
            whole: list[str] = []
            for piece in text.split(","):
                name = piece.partition(":")[0]
                if whole and "=" in name:
                    whole[-1] += f",{piece}"
                else:
                    whole.append(piece)
            found += whole
        return [cls.parse(text) for text in found]

    def resolve(self, declared: tuple[BenchmarkOption, ...], *, quick: bool) -> dict[str, str]:
        """Every declared option with the value that was asked for, or its default. Raises InputError."""
        known = {option.name: option for option in declared}
        for name in self.options:
            if name not in known:
                raise InputError(
                    f"benchmark {self.benchmark!r} has no option {name!r}",
                    hint=f"it takes: {', '.join(known) or 'none'}",
                )
        values = {}
        for name, option in known.items():
            usual = option.quick if quick and option.quick is not None else option.default
            values[name] = self.options.get(name, usual)
            option.read(values[name])
        return values

    def __str__(self) -> str:
        pairs = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.benchmark}:{pairs}" if pairs else self.benchmark


def count(text: str, *, most: int | None = None) -> int:
    """A whole number of at least 1, and at most `most`. Raises InputError."""
    if not text.isdecimal() or not text.isascii() or not int(text):
        raise InputError(f"{text!r} is not a number of at least 1", hint="write 1, 10, 100")
    if most is not None and int(text) > most:
        raise InputError(f"{text} is too many", hint=f"at most {most}")
    return int(text)


def counts(text: str, *, least: int = 1, most: int | None = None) -> tuple[int, ...]:
    """Whole numbers of at least `least` with `+` between them, each once, ascending. Raises InputError."""
    return tuple(sorted({0 if least == 0 and part == "0" else count(part, most=most) for part in text.split("+")}))


def choice(*known: str) -> Callable[[str], str]:
    """A reader that takes one of the given words."""

    def read(text: str) -> str:
        if text not in known:
            raise InputError(f"{text!r} is not known", hint=f"known: {', '.join(known)}")
        return text

    return read
