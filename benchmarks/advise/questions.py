"""A short questionnaire in place of a file."""

from __future__ import annotations

import sys
from typing import Any

import click
from isoscope.benchmarks.advise.fields import BY_NAME, Field
from isoscope.benchmarks.advise.subject import Subject
from isoscope.core.errors import InputError
from isoscope.core.lab import Lab

#: What decides most often; the other fields are for a file.
_ASKED = (
    *("trust", "kernel", "os", "device", "rootless", "startup"),
    *("cpu", "disk", "network", "syscalls", "lifetime"),
)


def ask(lab: Lab) -> Subject:
    """What is answered, of a workload of no name. An empty answer leaves a question open. Raises InputError."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError(
            "advise needs a workload", hint="name a TOML file or a registered workload; questions need a terminal"
        )
    click.echo("An empty answer leaves a question open.")
    values = {name: value for name in _ASKED if (value := _ask(BY_NAME[name])) is not None}
    return Subject(lab.workload("sleep"), values, "the workload")


def _ask(field: Field) -> Any:
    """The answer, or None. What cannot be read is asked for again."""

    def read(text: str) -> Any:
        if not text.strip():
            return None
        try:
            return field.read(text.strip().strip('"'))
        except InputError as error:
            raise click.BadParameter(f"{error.message}: {error.hint}") from error

    return click.prompt(
        f"{field.name}: {field.question} ({field.form})", default="", show_default=False, value_proc=read
    )
