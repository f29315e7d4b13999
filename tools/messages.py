"""Gathers, from the code itself, the words with which Isoscope refuses or fails: each message with its hint.

What stands for a value is written `<name>`; a value that is computed in place is written `...`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: What is not raised but said of a host: the class, and the positions of what is wrong and of the remedy.
_SAID = {"Lack": (0, 1), "Feature": (1, 2), "Qemu": (2, 3)}

#: Context managers that turn what others report into an error of ours: the class that it has unless told otherwise.
_TURNING = {"host_error": "HostError", "host_errors": "HostError", "libvirt_errors": "InstanceFailed"}


@dataclass(frozen=True, order=True)
class Said:
    """A message as its place in the code has it."""

    kind: str  #: the class of the error
    message: str
    hint: str


@dataclass(frozen=True)
class Kind:
    """A class of errors."""

    name: str
    parent: str
    module: str  #: `isoscope.core.errors`


def kinds(root: Path = ROOT) -> list[Kind]:
    """Every class below IsoscopeError, wherever it is defined, parents first."""
    found = [Kind("IsoscopeError", "Exception", "isoscope.core.errors")]
    classes = [
        (node, ".".join(("isoscope", *path.relative_to(root).with_suffix("").parts)))
        for path in _files(root)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef)
    ]
    for known in found:  # which grows while it is gone through
        found += [
            Kind(node.name, known.name, module)
            for node, module in classes
            if any(isinstance(base, ast.Name) and base.id == known.name for base in node.bases)
        ]
    return found


def said(root: Path = ROOT) -> list[Said]:
    """Every message that some place in the code raises, sorted and without repetitions."""
    names = {kind.name for kind in kinds(root)}
    return sorted({one for path in _files(root) for one in _in_file(path, names)})


def _files(root: Path) -> Iterator[Path]:
    for package in sorted(root.glob("*/__init__.py")):
        yield from sorted(package.parent.rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _in_file(path: Path, names: set[str]) -> Iterator[Said]:
    tree = _tree(path)
    words = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in names:
            yield from _of_its_own(node, words)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from _call(node, node.func.id, names, words)


def _of_its_own(kind: ast.ClassDef, words: dict[str, ast.expr]) -> Iterator[Said]:
    """What a class says by itself, in its `super().__init__(...)`."""
    for node in ast.walk(kind):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__":
            yield from _pair(kind.name, _argument(node, 0, "message"), _argument(node, None, "hint"), words)


def _call(node: ast.Call, name: str, names: set[str], words: dict[str, ast.expr]) -> Iterator[Said]:
    if name in names:
        yield from _pair(name, _argument(node, 0, "message"), _argument(node, None, "hint"), words)
    elif name in _SAID:
        what, remedy = _SAID[name]
        yield from _pair("Lack", _argument(node, what, "reason"), _argument(node, remedy, "remedy"), words)
    elif name in _TURNING:
        kind = _argument(node, None, "error")
        named = kind.id if isinstance(kind, ast.Name) else _TURNING[name]
        for one in _pair(named, _argument(node, 0, "doing"), _argument(node, None, "hint"), words):
            yield Said(one.kind, f"{one.message}: ...", one.hint)


def _argument(node: ast.Call, position: int | None, name: str) -> ast.expr | None:
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    if name in named:
        return named[name]
    return node.args[position] if position is not None and position < len(node.args) else None


def _pair(kind: str, message: ast.expr | None, hint: ast.expr | None, words: dict[str, ast.expr]) -> Iterator[Said]:
    for text in _texts(message, words):
        if any(letter.isalpha() for letter in _own_words(text)):
            for advice in _texts(hint, words) or [""]:
                yield Said(kind, text, advice)


def _own_words(text: str) -> str:
    """The text without what stands for values."""
    while "<" in text and ">" in text.partition("<")[2]:
        before, _, rest = text.partition("<")
        text = before + rest.partition(">")[2]
    return text


def _texts(node: ast.expr | None, words: dict[str, ast.expr]) -> list[str]:
    """The texts that an expression may have; those of a condition are two."""
    match node:
        case None:
            return []
        case ast.Constant(value=str(text)):
            return [text] if text else []
        case ast.JoinedStr(values=parts):
            return ["".join(_part(part) for part in parts)]
        case ast.IfExp(body=one, orelse=other):
            return [*_texts(one, words), *_texts(other, words)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [a + b for a in _texts(left, words) or ["..."] for b in _texts(right, words) or ["..."]]
        case ast.Name(id=name) if name in words:
            return _texts(words[name], {})
    return []


def _part(part: ast.expr) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value, conversion=conversion):
            name = _name(value)
            return f"'{name}'" if conversion == ord("r") else name
    return "..."


def _name(value: ast.expr) -> str:
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name) if name != "_":
            return f"<{name.strip('_').lower()}>"
    return "..."
