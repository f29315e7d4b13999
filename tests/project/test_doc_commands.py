"""Every `isoscope ...` that the docs and the README show is taken by the command line: commands, options, variants."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from isoscope.benchmarks.request import Request
from isoscope.core import Lab, Variant
from isoscope.core.cli.context import Session
from isoscope.core.cli.main import cli
from isoscope.core.errors import IsoscopeError
from isoscope.core.plugins import offers, plugin_manager

#: What is printed by the program itself is tested elsewhere; what is history may name what is gone.
_LEFT_OUT = {Path("docs/reference/command-line.md"), Path("docs/reference/errors.md"), Path("CHANGELOG.md")}

#: What stands for something in prose; as a word of a command it would be wrong.
_ELIDED = {"...", "…", "VERB", "COMMAND"}

_BLOCK = re.compile(r"^```(?:sh|console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (isoscope .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(isoscope [^`]+)`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def shown(text: str) -> Iterator[tuple[str, bool]]:
    """The command lines of a page, as they are written, and whether they are whole: prose may name a command alone."""
    for block in _BLOCK.findall(text):
        prompts, open_ = "\n$ " in f"\n{block}", ""
        for line in block.replace("\\\n", " ").splitlines():
            if open_ or not prompts or line.startswith("$ "):
                whole = open_ + line.removeprefix("$ ")
                open_ = "" if _closed(whole) else f"{whole}\n"
                if not open_:
                    yield whole, True
    prose = _FENCE.sub("", text)
    yield from ((line, True) for line in _INDENTED.findall(prose))
    yield from ((" ".join(line.split()), False) for line in _INLINE.findall(prose))


def _closed(line: str) -> bool:
    """Whether every quotation in it has its end."""
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def calls(line: str) -> Iterator[list[str]]:
    """The arguments of each call of isoscope in a line of shell; of one inside another, such as in the rig, both."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    words.whitespace_split = True
    command: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set("|&;<>()"):
            yield from _call(command)
            command = []
        else:
            command.append(word)


def _call(words: list[str]) -> Iterator[list[str]]:
    while words and re.fullmatch(r"[A-Za-z_]+=.*", words[0]):
        words = words[1:]
    if not words or words[0] == "sudo":
        words = words[1:]
    if words and words[0].rpartition("/")[2] == "isoscope":
        yield words[1:]
        if "--" in words:
            yield from _call(words[words.index("--") + 1 :])


def parse(arguments: list[str]) -> click.Context:
    """What the command line makes of it, without carrying it out. Raises what the program would tell."""
    if set(arguments) & {"-h", "--help", "--version"}:
        arguments = arguments[: min(i for i, word in enumerate(arguments) if word in {"-h", "--help", "--version"})]
    context = cli.make_context("isoscope", list(arguments) or ["doctor"], obj=Session())
    while isinstance(context.command, click.Group):
        rest = [*getattr(context, "_protected_args", ()), *context.args]  # click 8.2 made it private
        if not rest:
            break
        name, command, left = context.command.resolve_command(context, rest)
        assert command is not None, f"there is no command {name!r}"
        context = command.make_context(name, left, parent=context)
    return context


def check(arguments: list[str], lab: Lab, benchmarks: dict[str, Any]) -> None:
    """Variants and benchmarks are text to click; they are looked up as the commands do."""
    values = parse(arguments).params
    for variant in values.get("variants") or filter(None, [values.get("variant")]):
        chosen = Variant.parse(variant)
        chosen.backend_options(lab.backend(chosen.backend).options)
    for asked in Request.parse_list(values.get("benchmarks") or ()):
        asked.resolve(benchmarks[asked.benchmark]().options, quick=False)


def pages(root: Path, tracked: list[Path]) -> Iterator[tuple[Path, str]]:
    for path in tracked:
        if path.suffix == ".md" and path not in _LEFT_OUT:
            yield path, (root / path).read_text()


@pytest.fixture
def lab(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """With the plugins that are installed, and that of the example."""
    monkeypatch.syspath_prepend(root / "docs/examples/isoscope-example/src")
    manager = plugin_manager()
    manager.register(importlib.import_module("isoscope_example.plugin"))
    with Lab(tmp_path) as lab:
        lab.plugins = manager.hook
        yield lab


def test_every_command_that_is_shown_can_be_given(root: Path, tracked: list[Path], lab: Lab) -> None:
    benchmarks = offers(lab.plugins.isoscope_register_benchmarks, "benchmark")
    wrong, seen = [], 0
    for page, text in pages(root, tracked):
        for line, whole in shown(text):
            for arguments in calls(line):
                if _ELIDED & set(arguments) or any("[" in word for word in arguments[:3]):
                    continue
                seen += 1
                try:
                    check(arguments, lab, benchmarks)
                except (click.MissingParameter, click.exceptions.NoArgsIsHelpError) as error:
                    wrong += [f"{page}: {line}: {error}"] if whole else []
                except (IsoscopeError, click.ClickException, KeyError) as error:
                    wrong.append(f"{page}: {line}: {error}")
    assert not wrong, "\n".join(wrong)
    assert seen > 100  # that they are found at all


@pytest.mark.parametrize(
    "line",
    [
        "isoscope compare --no-such-option",
        "isoscope compare -b container:no=such",
        "isoscope compare -m disk:no=such",
        "isoscope compare -m nosuch -b vm",
        "isoscope nosuch",
        "ISOSCOPE_HOME=/x .venv/bin/isoscope run --nosuch -- true | cat",
        "isoscope rig run -- isoscope compare --nosuch",
    ],
)
def test_a_command_that_cannot_be_given_is_found(line: str, lab: Lab) -> None:
    benchmarks = offers(lab.plugins.isoscope_register_benchmarks, "benchmark")
    *_, last = calls(line)
    with pytest.raises((IsoscopeError, click.ClickException, KeyError)):
        check(last, lab, benchmarks)
