"""`isoscope image`, as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.root

PROGRAM = "import sys; from isoscope.core.cli.main import main; sys.exit(main())"


def isoscope(*arguments: str | Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, "image", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def source(make: Any, home: Path) -> Path:
    return make.layout(home / "source", make.tar(make.file("a")), names=["one", "uno"])  # type: ignore[no-any-return]


def test_an_image_from_loading_to_removal(home: Path, source: Path) -> None:
    loaded = json.loads(isoscope("load", source, "--json").stdout)
    assert [row["names"] for row in loaded] == [["one:latest", "uno:latest"]]
    listed = json.loads(isoscope("ls", "--json").stdout)
    assert listed == loaded
    table = isoscope("ls").stdout.splitlines()
    assert table[0].split() == ["NAME", "DIGEST", "PLATFORM", "CREATED", "SIZE"]
    assert "one:latest uno:latest" in table[1]
    facts = json.loads(isoscope("inspect", "one", "--json").stdout)
    assert facts["digest"] == listed[0]["digest"]
    assert facts["digest"] in isoscope("inspect", "uno").stdout
    isoscope("save", "one", "--output", home / "saved.tar")
    assert isoscope("rm", "one").stdout == "removed name one:latest\n"
    assert f"removed image {facts['digest']}" in isoscope("rm", facts["digest"]).stdout
    assert json.loads(isoscope("ls", "--json").stdout) == []
    assert facts["digest"] in isoscope("load", home / "saved.tar").stdout
    isoscope("load", source, "--name", "mine:v2")
    assert json.loads(isoscope("ls", "--json").stdout)[0]["names"] == ["mine:v2", "one:latest", "uno:latest"]


def test_building(home: Path) -> None:
    recipes = json.loads(isoscope("build", "--list", "--json").stdout)
    assert {recipe["name"] for recipe in recipes} >= {"base", "python"}
    assert "busybox" in isoscope("build", "--list").stdout
    done = isoscope("build", "base", "--json")
    (built,) = json.loads(done.stdout)
    assert "busybox-static" in done.stderr  # what takes its time is said, and not mixed with the result
    assert json.loads(isoscope("inspect", "base", "--json").stdout)["digest"] == built["digest"]
    assert built["digest"] in isoscope("build", "base").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "nope"),
        ("inspect", "../etc/passwd"),
        ("rm", "nope"),
        ("rm",),
        ("save", "nope", "-o", "/dev/null"),
        ("save", "nope"),
        ("build", "nope"),
        ("load", "/nowhere"),
        ("load", "/etc/passwd"),
        ("load", "/dev/null"),
        ("load", "/proc"),
    ],
)
def test_wrong_input_ends_with_status_2_and_a_hint(home: Path, arguments: tuple[str, ...]) -> None:
    done = isoscope(*arguments, status=2)
    assert done.stdout == ""
    assert 1 <= len(done.stderr.strip().splitlines()) <= 4


def test_a_name_of_an_archive_reaches_no_terminal_as_it_is(make: Any, home: Path, source: Path) -> None:
    (entry, _) = make.entries(source)
    make.index(source, {**entry, "annotations": {"org.opencontainers.image.ref.name": "\x1b]0;title\x07"}})
    assert "\x1b" not in isoscope("load", source).stdout
    assert "\x1b" not in isoscope("ls").stdout
