"""The pages that a newcomer follows word for word, followed so, and what is printed held against what is shown."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from isoscope.core.registry import Registry

#: Pages, and from where on they tell what is told elsewhere.
WALKS = {"docs/tutorial/first-comparison.md": None, "README.md": "And now the question"}

#: Those of commands that were carried out before anybody could read a test.
DONE = {"make setup", "make compare", "make test"}

_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MARK = "\x1e"

#: What is said by letters and is no figure, unit or part of a name that this host gives.
_WORD = re.compile(r"(?<![\w.-])[A-Za-z]{4,}(?![\w.-]*\d)")


@dataclass(frozen=True)
class Shown:
    """A command, and the lines that a page shows as its output: none where it shows none."""

    command: str
    output: tuple[str, ...]


def shown(page: str) -> Iterator[Shown]:
    """What a page has a reader type, in its order."""
    for language, block in _BLOCK.findall(page):
        if language == "sh":
            yield Shown(block, ())
        for typed in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] if language == "console" else ():
            command, *output = typed.splitlines()
            yield Shown(command, tuple(line for line in output if line.strip() != "..."))


def missing(shown: Shown, printed: str) -> list[str]:
    """The lines that a page shows and the program did not print: their words, whatever the figures, in one line."""
    lines = [set(_WORD.findall(line)) for line in printed.splitlines()]
    return [line for line in shown.output if not any(set(_WORD.findall(line)) <= words for words in lines)]


@pytest.mark.root
@pytest.mark.vm
@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", WALKS)
def test_a_page_can_be_followed(page: str, root: Path, stocked_home: Path, tmp_path: Path) -> None:
    text = (root / page).read_text()
    text = text.partition(end)[0] if (end := WALKS[page]) else text
    steps = [
        step for step in shown(text) if not all(line.split("  #")[0] in DONE for line in step.command.splitlines())
    ]
    assert sum(bool(step.output) for step in steps) >= 2
    script = "".join(f"printf '{_MARK}'; {{ {_typed(step.command, root)}\n}} 2>&1\n" for step in steps)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=580, check=False,
        env={**os.environ, "PATH": f"{root}/.venv/bin:{os.environ['PATH']}", "COLUMNS": "200"},
    )  # fmt: skip
    printed = done.stdout.split(_MARK)[1:]
    assert len(printed) == len(steps), done.stdout + done.stderr
    for step, text in zip(steps, printed, strict=True):
        assert not missing(step, text), f"{page}: $ {step.command}\n{text}"
        assert ("error: " in text) == any("error: " in line for line in step.output), (
            f"{page}: $ {step.command}\n{text}"
        )

    for record in Registry(stocked_home):  # of those that have ended, log and record are kept
        assert record.exit is not None, record.name
        record.forget()


def _typed(command: str, root: Path) -> str:
    """As a reader types it, who stands in the checkout; what is installed already is left out."""
    lines = [line for line in command.splitlines() if line not in DONE]
    return "\n".join(line.replace("$PWD/.venv", shlex.quote(f"{root}/.venv")) for line in lines)


def test_what_is_shown_and_not_printed_is_found() -> None:
    command = Shown("isoscope run", ("startup of hello, ratio to process", "ready  container  4.1 ms  [2.19, 2.67]"))
    assert missing(command, "startup of hello, ratio to process\nready   container   17 ms   [1, 2]\n") == []
    assert missing(command, "startup of hello, ratio to process\nready   vm   17 ms\n") == [command.output[1]]
