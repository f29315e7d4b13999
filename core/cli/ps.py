"""`isoscope ps`: what instances there are."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from isoscope.core.cli.context import current_lab, json_option
from isoscope.core.cli.output import print_json, print_table
from isoscope.core.errors import NotFound
from isoscope.core.units import format_duration

if TYPE_CHECKING:
    from isoscope.core.registry import Record

_COMMAND_WIDTH = 40


@click.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Stopped ones too.")
@json_option
def ps(everything: bool, as_json: bool) -> None:
    """List the instances that hold something on this host; with -a, stopped ones too.

    STATUS is created, running, paused or stopped; lost when the process that kept the instance has died (`isoscope gc`
    removes what it left); held when that process takes no requests: the instance is being made, or belongs to a
    comparison or to a program of yours.
    """
    rows = [row for record in current_lab().registry if (row := _row(record)) is not None]
    rows = [row for row in rows if everything or row["status"] != "stopped"]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("NAME", "VARIANT", "IMAGE", "COMMAND", "CREATED", "STATUS"),
        (
            (
                row["name"],
                row["variant"],
                row["image"],
                _shortened(shlex.join(row["command"])),
                f"{_age(row['created_at'])} ago",
                _status(row),
            )
            for row in rows
        ),
    )


def _row(record: Record) -> dict[str, Any] | None:
    """One instance as plain data; None when it has gone since it was listed."""
    from isoscope.core.remote import RemoteInstance

    instance = RemoteInstance(current_lab().registry, record)
    try:
        status = instance.state()["status"]
    except NotFound:
        return None
    record = instance.record
    return {
        "id": record.id,
        "name": record.name,
        "status": status,
        "variant": record.variant,
        "image": record.workload["image"],
        "command": record.workload["command"],
        "created_at": record.created_at,
        "started_at": record.facts.get("started_at"),
        "exit": record.exit,
    }


def _status(row: dict[str, Any]) -> str:
    if row["status"] == "running" and row["started_at"]:
        return f"running {_age(row['started_at'])}"
    if row["exit"]:
        return f"stopped ({row['exit']['exit_status']})"
    return str(row["status"])


def _shortened(text: str) -> str:
    return text if len(text) <= _COMMAND_WIDTH else f"{text[: _COMMAND_WIDTH - 1]}…"


def _age(moment: str) -> str:
    """How long ago a moment in RFC 3339 was, for reading."""
    elapsed = datetime.now(UTC) - datetime.fromisoformat(moment)
    return format_duration(max(0.0, elapsed.total_seconds()) * 1e9)
