"""The files of a run's folder beside its trials."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from isoscope.core.errors import HostError, InputError


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step. Raises HostError when it cannot be written."""
    partial = path.with_name(f".{path.name}.new")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise HostError(f"cannot write {path}: {error.strerror}", hint="free some space") from error


def write_json(path: Path, data: Any) -> None:
    """Replace a file by `data` as JSON. Raises HostError when it cannot be written."""
    write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises InputError when there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", hint="name a run's folder") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", hint="restore it") from error
    if not isinstance(data, dict):
        raise InputError(f"{path} holds no JSON object", hint="restore it")
    return data
