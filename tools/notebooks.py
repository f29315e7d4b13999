"""Builds `notebooks/*.ipynb` from the text beside them and runs them, so that they read well before they are run.

.venv/bin/python tools/notebooks.py [--output DIR] [NAME...]

What differs from one machine and moment to the next (paths, the host's name, times of execution) is not stored.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"

#: Seconds for a whole notebook.
LIMIT = 180

_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def sources() -> list[Path]:
    """The notebooks as text, in the order of the course."""
    return sorted(FOLDER.glob("[0-9][0-9]-*.py"))


def assemble(source: Path) -> Any:
    """The notebook without outputs, the same for the same text."""
    notebook = jupytext.read(source)
    notebook.metadata = nbformat.from_dict(_METADATA)
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        name = hashlib.sha256(cell.source.encode()).hexdigest()[:8]
        seen[name] += 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"
    return notebook


def execute(notebook: Any, directory: Path) -> None:
    """Run all cells, in `directory`, by this very Python. Raises nbclient's CellExecutionError."""
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    client = NotebookClient(
        notebook,
        AsyncKernelManager(kernel_name="python3", transport_encryption="auto"),
        timeout=LIMIT,
        resources={"metadata": {"path": str(directory)}},
        record_timing=False,
    )
    client.execute(env=os.environ | {"IPYTHONDIR": str(directory / ".ipython")})


def settle(notebook: Any, words: Mapping[str, str]) -> None:
    """Leave out of the outputs what is only this machine's and this moment's."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)
            cell.outputs = [_settled(output, words) for output in _joined(cell.outputs)]
    notebook.metadata = nbformat.from_dict(_METADATA)


def _joined(outputs: list[Any]) -> Iterator[Any]:
    """Pieces of one stream as one output: how they were cut depends on the moment."""
    last = None
    for output in outputs:
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            yield output
            last = output


def _settled(output: Any, words: Mapping[str, str]) -> Any:
    if "data" in output:
        if "application/vnd.jupyter.widget-view+json" in output.data:  # a widget lives in a kernel
            output.data = nbformat.from_dict({"text/markdown": "*Here is a knob, once this cell has been run.*"})
        for kind, text in output.data.items():
            if isinstance(text, str) and kind.startswith(("text/", "image/svg")):
                output.data[kind] = _plain(text, words)
    if "text" in output:
        output.text = _plain(output.text, words)
    return output


def _plain(text: str, words: Mapping[str, str]) -> str:
    for word, other in words.items():
        text = re.sub(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", other, text)
    return text


def build(source: Path, target: Path) -> None:
    """Write one notebook with its outputs."""
    notebook = assemble(source)
    with tempfile.TemporaryDirectory(prefix="isoscope-notebook-") as directory:
        try:
            execute(notebook, Path(directory))
        finally:
            settle(notebook, _words(source, directory))
            nbformat.write(notebook, target / f"{source.stem}.ipynb")


def _words(source: Path, directory: str) -> dict[str, str]:
    """What is only this machine's, and what stands in its place."""
    words = {
        directory: "~/notebooks",
        os.environ.get("ISOSCOPE_HOME", "/var/lib/isoscope"): "/var/lib/isoscope",
        str(FOLDER.parent): "~/isoscope",
    }
    host = socket.gethostname()
    if not re.search(rf"\b{re.escape(host)}\b", source.read_text()):  # some call their machine "vm"
        words[host] = "laptop"
    return words


def main() -> int:
    """Build those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=FOLDER, help="where the built notebooks go")
    parser.add_argument("name", nargs="*", help="the first characters of a notebook's name, such as 03")
    asked = parser.parse_args()
    for source in sources():
        if not asked.name or source.name.startswith(tuple(asked.name)):
            print(source.stem, file=sys.stderr)  # noqa: T201
            build(source, asked.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
