"""The docs say what the code does: pages read off it are up to date, links lead somewhere, and the build is clean."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import messages
import pytest
import reference
from isoscope import core
from isoscope.benchmarks.metrics import METRICS
from isoscope.core import hookspecs
from isoscope.core.errors import IsoscopeError
from isoscope.core.plugins import offers, plugin_manager

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_a_page_read_off_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs/reference" / name).read_text() == reference.page(name), "run tools/reference.py"


def test_every_hook_command_metric_benchmark_and_error_has_its_place() -> None:
    """The pages are written from the code; this asks the plugins themselves, whatever the pages are written from."""
    manager = plugin_manager()
    text = {path.name: path.read_text() for path in (ROOT / "docs/reference").glob("*.md")}
    for name in offers(manager.hook.isoscope_register_commands, "command"):
        assert f"\n## isoscope {name}\n" in text["command-line.md"], name
    for name in offers(manager.hook.isoscope_register_benchmarks, "benchmark"):
        assert f"\n## {name}\n" in text["benchmarks.md"], name
        assert (ROOT / f"docs/explanation/benchmarks/{name}.md").exists(), name
    for name in offers(manager.hook.isoscope_register_backends, "backend"):
        assert f"\n## {name}\n" in text["backends.md"], name
    for name in offers(manager.hook.isoscope_register_workloads, "workload"):
        assert f"| `{name}` |" in text["workloads.md"], name
    for name in (name for name in vars(hookspecs) if name.startswith("isoscope_")):
        assert f"\n## {name}(" in text["hooks.md"], name
    for name in METRICS:
        assert f"| `{name}` |" in text["metrics.md"], name
    for kind in below(IsoscopeError):
        if kind.__module__.startswith("isoscope.") and ".testing." not in kind.__module__:
            assert f"| `{kind.__name__}` |" in text["errors.md"], kind
    for name in core.__all__:
        assert f":: isoscope.core.{name}\n" in text["python.md"], name


def below(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


def test_messages_are_gathered_with_their_hints(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core/__init__.py").touch()
    (tmp_path / "core/one.py").write_text(
        "class Odd(IsoscopeError):\n    pass\n\n_HINT = 'do that'\n"
        "def f(x, name):\n"
        "    raise Odd(f'{name!r} is {x.kind}: ' + 'no', hint='do this' if x else _HINT)\n"
        "    yield Lack(f'{x.find()} is not there', 'get it')\n"
        "    raise Odd(x, hint='for what nobody knows')\n"
    )
    assert messages.said(tmp_path) == [
        messages.Said("Lack", "... is not there", "get it"),
        messages.Said("Odd", "'<name>' is <kind>: no", "do that"),
        messages.Said("Odd", "'<name>' is <kind>: no", "do this"),
    ]


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page's headings have, made as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def malformed(url: str) -> Iterator[str]:
    """What is wrong with a link to elsewhere by its looks; tests reach no other host, so whether it answers is not."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield "not by https"
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc):
        yield "has no host"
    if parts.netloc == "github.com" and not re.fullmatch(r"/[\w-]+/[\w.-]+(/(issues|pull)/\d+)?", parts.path):
        yield "is no repository, issue or pull request"


def test_a_link_that_cannot_be_right_is_found() -> None:
    for url in ("http://x.org", "https://x", "https://github.com/a/b/issue/1", "https://github.com/a/b/pull/x", "ftp:"):
        assert list(malformed(url)), url
    assert not list(malformed("https://github.com/a-b/c.d/pull/12#issuecomment-1"))


def test_links_lead_somewhere(tracked: list[Path]) -> None:
    broken = []
    for page in (path for path in tracked if path.suffix == ".md"):
        for target in LINK.findall(FENCE.sub("", (ROOT / page).read_text())):
            if re.match(r"[a-z]+:", target):
                broken += [f"{page}: {target}: {why}" for why in malformed(target)]
                continue
            path, _, anchor = target.partition("#")
            found = (ROOT / page).parent / path if path else ROOT / page
            if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
                broken.append(f"{page}: {target}")
    assert not broken, "\n".join(broken)


def test_every_file_that_the_docs_name_exists(tracked: list[Path]) -> None:
    """Those written as `code` in prose, from the top of the checkout."""
    tops = {path.parts[0] for path in tracked if len(path.parts) > 1}
    missing = []
    for page in (path for path in tracked if path.suffix == ".md" and path.name != "CHANGELOG.md"):
        names = re.findall(r"`([\w.-]+/[\w./-]*)`", FENCE.sub("", (ROOT / page).read_text()))
        missing += [
            f"{page}: {n}" for n in names if n.split("/")[0] in tops and "_build" not in n and not (ROOT / n).exists()
        ]
    assert not missing, "\n".join(missing)


def test_the_docs_build_without_a_warning(tmp_path: Path) -> None:
    command = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html", "docs", str(tmp_path)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first = (tmp_path / "index.html").read_text()
    assert "Isoscope" in first
    assert "_static/figures.css" in first
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', first)  # nothing is fetched
