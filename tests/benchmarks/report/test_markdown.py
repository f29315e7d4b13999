"""The report for a pull request."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isoscope.benchmarks import Run
from isoscope.benchmarks.report import gfm, markdown
from isoscope.core.cli.output import printable
from markdown_it import MarkdownIt
from markdown_it.token import Token

from .conftest import HOSTILE

NARROW = "\N{ZERO WIDTH SPACE}"


def parse(source: str) -> list[Token]:
    """Every token, the inner ones too, as GitHub's dialect has them."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    return [inner for token in tokens for inner in (token, *(token.children or []))]


def words(source: str) -> str:
    return "".join(token.content for token in parse(source) if token.type in ("text", "code_inline")).replace(
        NARROW, ""
    )


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_text_and_nothing_else(line: str) -> None:
    for source in (gfm.text(line), f"> {gfm.text(line)}", f"* {gfm.text(line)}"):
        kinds = {token.type for token in parse(source)}
        assert kinds <= {
            "inline",
            "text",
            "text_special",
            "softbreak",
            *(
                f"{name}_{end}"
                for name in ("paragraph", "blockquote", "bullet_list", "list_item")
                for end in ("open", "close")
            ),
        }, kinds
    assert words(gfm.text(line)).split() == printable(" ".join(line.splitlines())).replace(NARROW, "").split()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=2))
def test_a_cell_stays_in_its_cell(line: list[str]) -> None:
    source = gfm.table(["a", "b"], [[gfm.text(cell) for cell in line]])
    tokens = parse(source)
    assert [token.type for token in tokens].count("td_open") == 2
    assert [token.type for token in tokens].count("tr_open") == 2


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_block_ends_where_it_should(lines: str) -> None:
    [fence] = parse(gfm.block(lines))
    assert fence.type == "fence"
    assert fence.content.rstrip("\n") == "\n".join(map(printable, lines.splitlines())).rstrip("\n")


@pytest.mark.parametrize("text", ["@somebody", "see #12", "www.evil.example", "https://evil.example", "gh-7"])
def test_nothing_becomes_a_mention_a_reference_or_a_link_on_github(text: str) -> None:
    assert not re.search(r"@\w|#\d|www\.|\w://|gh-\d", gfm.text(text))
    assert gfm.text(text).replace(NARROW, "") == text


def test_it_has_verdict_table_failures_environment_and_command(whole_run: Path) -> None:
    path = markdown.write(whole_run)
    assert path == whole_run / "report.md"
    text = path.read_text()
    assert (
        text.index("[!WARNING]") < text.index("not KVM's") < text.index("| metric | process | container | vm (tcg) |")
    )
    assert re.search(r"\| ready ↓ \| \*\*2\.\d+ ms\*\*<br>baseline \| .* \| .*<br>▼ slower \|", text)
    assert "*fio ended with status 1 (No space left on device)*" in text
    assert "**store on vm**: failed in 10 trial(s)" in text
    assert text.index("<summary>Environment</summary>") < text.index("| CPU | A Fast CPU @ 2.50GHz |")
    assert "```sh\nisoscope compare hello -b process" in text
    table = [token for token in parse(text) if token.type == "th_open"]
    assert len(table) == 4 + 2  # the headline's columns, and the environment's


def test_names_of_strangers_are_text(hostile_run: Path) -> None:
    text = markdown.write(hostile_run).read_text()
    assert "\x1b" not in text
    assert "\u202e" not in text
    html = {token.content.strip() for token in parse(text) if token.type in ("html_inline", "html_block")}
    assert {re.sub(r">[\w ]+<", "><", tag) for tag in html} <= {
        "<br>",
        "</details>",
        "<details>\n<summary></summary>",
    }
    assert not [token for token in parse(text) if token.type in ("link_open", "image")]
    assert printable(HOSTILE) in words(text)
    assert not re.search(r"@all|#1\b", text.replace("```", "").partition("<summary>How to repeat it")[0])


def test_a_run_that_was_stopped_says_so(whole_run: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "environment.json", "trials.jsonl"):
        (tmp_path / name).write_bytes((whole_run / name).read_bytes())
    trials = tmp_path / "trials.jsonl"
    trials.write_text("".join(trials.read_text().splitlines(keepends=True)[:-3]))
    assert "stopped before its end" in markdown.render(Run.load(tmp_path))
