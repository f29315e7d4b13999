"""Containers that are to go, and those whose instance nobody knows any more."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from isoscope.backends.docker.engine import Engine
from isoscope.backends.docker.faults import Refused
from isoscope.backends.docker.store import HOME_LABEL
from isoscope.backends.docker.terms import INSTANCE_LABEL


def remove_container(engine: Engine, name: str) -> None:
    """Remove a container in any state, and its volumes. One that has gone is no error. Raises Refused, Gone."""
    try:
        engine.wire.call("DELETE", f"/containers/{name}?force=1&v=1")
    except Refused as error:
        if error.status == 409:  # somebody else removes it already
            with contextlib.suppress(Refused):
                engine.wire.call("POST", f"/containers/{name}/wait?condition=removed")
        elif error.status != 404:
            raise


def containers(engine: Engine, home_mark: str, known: Collection[str]) -> list[str]:
    """Containers of a state directory's instances that are not among the known ones, by id. Raises Refused, Gone."""
    labels = [f"{HOME_LABEL}={home_mark}", INSTANCE_LABEL]
    with engine.speaking():
        found = engine.sdk.containers(all=True, filters={"label": labels})
    return [container["Id"] for container in found if container["Labels"][INSTANCE_LABEL] not in known]
