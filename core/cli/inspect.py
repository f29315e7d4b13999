"""`isoscope inspect`: everything that is known about instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from isoscope.core.cli.context import json_option
from isoscope.core.cli.instances import for_each, names_argument
from isoscope.core.cli.output import print_json

if TYPE_CHECKING:
    from isoscope.core.remote import RemoteInstance


@click.command()
@json_option
@names_argument
def inspect(names: tuple[str, ...], **_as_json: bool) -> None:
    """Print all that is known about instances: a JSON list, with or without --json.

    The timeline is in nanoseconds on the host's monotonic clock.
    """
    found: list[dict[str, Any]] = []
    for_each(names, lambda instance: found.append(_description(instance)))
    print_json(found)


def _description(instance: RemoteInstance) -> dict[str, Any]:
    state = instance.state()
    record = instance.record
    return {
        "id": record.id,
        "name": record.name,
        "status": state["status"],
        "variant": record.variant,
        "image": record.image,
        "workload": record.workload,
        "created_at": record.created_at,
        **record.facts,
        "timeline": state.get("timeline") or record.facts.get("timeline", {}),
        "proof": state.get("proof") or record.facts.get("proof", {}),
        "exit": record.exit,
        "owner": {"pid": record.owner.pid, "alive": record.owner.alive()},
        "resources": record.resources,
        "directory": str(record.directory),
        "log": str(record.log),
    }
