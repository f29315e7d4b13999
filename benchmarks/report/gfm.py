"""Text in GitHub-flavoured Markdown, where nothing in it is markup, a mention, a reference or a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from isoscope.core.cli.output import printable

#: What could begin markup (CommonMark 2.4: any ASCII punctuation may be escaped), a column, or formulas.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~!$&^])")

#: What GitHub makes a mention, a reference or a link of, even when it is escaped: a space of no width goes behind it.
_MAGIC = re.compile(r"([@#](?=\w)|\bwww(?=\.)|\w(?=://)|\bGH(?=-\d))", re.IGNORECASE)

#: What could begin a heading, a list or a quotation at the start of a line.
_BEGINNING = re.compile(r"^(\s*)([-+=#>]|\d+(?=[.)](?:\s|$)))")

_NARROW = "\N{ZERO WIDTH SPACE}"


def text(words: str) -> str:
    """`words` in one line, as they are: control characters and reversals of direction as escapes."""
    line = printable(" ".join(words.splitlines()))
    line = _MARKUP.sub(r"\\\1", line)
    line = _MAGIC.sub(rf"\1{_NARROW}", line)
    return _BEGINNING.sub(
        lambda match: (
            f"{match[1]}{match[2][:-1]}\\{match[2][-1]}"
            if not match[2].isdecimal()
            else f"{match[1]}{match[2]}{_NARROW}"
        ),
        line,
    )


def code(words: str) -> str:
    """`words` in monospace, in one line. Not for a table, where a code span does not protect the bar."""
    line = printable(" ".join(words.splitlines()))
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}"


def block(words: str) -> str:
    """`words` as a block of code."""
    lines = "\n".join(map(printable, words.splitlines()))
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", lines)), default=0) + 1)
    return f"{fence}sh\n{lines}\n{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; the first column is the name of the row."""
    head = [f"| {' | '.join(columns)} |", f"|{'|'.join([':--', *['--:'] * (len(columns) - 1)])}|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def folded(title: str, body: str) -> str:
    """What is seen after a click. `body` is Markdown, `title` text."""
    return f"<details>\n<summary>{text(title)}</summary>\n\n{body}\n\n</details>"
