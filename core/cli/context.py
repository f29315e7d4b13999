"""What the commands of one invocation share: the global options, the lab, and the option `--json`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from isoscope.core.lab import Lab

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One invocation of `isoscope`; the root context's `obj`."""

    connect: str | None = None  #: a libvirt URI in place of the embedded driver
    debug: bool = False
    json: bool = False  #: the command was asked for one JSON document on standard output
    runs_workload: bool = False  #: the exit status is the workload's own
    lab: Lab | None = None


def current_session() -> Session:
    """The session of the command that runs."""
    session = click.get_current_context().find_root().ensure_object(Session)
    assert isinstance(session, Session)
    return session


def current_lab() -> Lab:
    """The lab of this invocation, on the global options' terms; made when first asked for, closed at the end.

    Raises HostError when the state directory cannot be made.
    """
    from isoscope.core.lab import Lab

    session = current_session()
    if session.lab is None:
        session.lab = Lab(libvirt_uri=session.connect)
        root = click.get_current_context().find_root()
        root.call_on_close(session.lab.close)
        root.call_on_close(_show_log())
    return session.lab


def _show_log() -> Callable[[], None]:
    """Pass on to standard error what takes its time, such as the build of an image. Returns what undoes it."""
    log, handler = logging.getLogger("isoscope"), logging.StreamHandler()
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    return lambda: log.removeHandler(handler)


def json_option(command: _Command) -> _Command:
    """The option `--json`, which every listing takes; the command gets it as `as_json`."""
    decorate = click.option(
        "--json", "as_json", is_flag=True, callback=_note_json, help="Print one JSON document and nothing else."
    )
    return decorate(command)


def _note_json(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    if value and not context.resilient_parsing:
        current = context.find_root().ensure_object(Session)
        current.json = True
    return value
