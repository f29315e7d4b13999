"""The plugin manager: which plugins there are, and what each offers."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pluggy
from isoscope.core import hookspecs, settings
from isoscope.core.errors import InputError, NotFound

GROUP = "isoscope"


def plugin_manager() -> pluggy.PluginManager:
    """A manager with every plugin that the environment names in the entry-point group `isoscope`.

    `ISOSCOPE_PLUGINS`, when set, is a comma-separated list of the only ones to load (`""` loads none): for tests, and
    to find out whether a plugin is to blame. Raises InputError, naming the plugin, when one cannot be imported.
    """
    manager = pluggy.PluginManager("isoscope")
    manager.add_hookspecs(hookspecs)
    chosen = settings.PLUGINS.read()
    names = None if chosen is None else {name.strip() for name in chosen.split(",") if name.strip()}
    for point in entry_points(group=GROUP):
        if (names is not None and point.name not in names) or manager.has_plugin(point.name):
            continue
        try:
            manager.register(import_module(point.module), name=point.name)
        except Exception as error:
            raise InputError(
                f"plugin {point.name!r} cannot be loaded: {error}",
                hint="uninstall it, or leave it out of ISOSCOPE_PLUGINS",
            ) from error
    manager.check_pending()
    return manager


def offers(hook: Callable[..., Any], kind: str) -> dict[str, Any]:
    """What all plugins offer through a register hook, by name. Raises InputError when two offer the same name."""
    found: dict[str, Any] = {}

    def register(name: str, *offer: Any) -> None:
        if name in found:
            raise InputError(f"two plugins offer a {kind} named {name!r}", hint="choose with ISOSCOPE_PLUGINS")
        found[name] = offer[0] if len(offer) == 1 else offer

    hook(register=register)
    return found


def choose(found: dict[str, Any], name: str, kind: str) -> Any:
    """The offer of that name. Raises NotFound with the names that there are."""
    try:
        return found[name]
    except KeyError:
        raise NotFound(f"there is no {kind} {name!r}", hint=f"there are: {', '.join(sorted(found))}") from None
