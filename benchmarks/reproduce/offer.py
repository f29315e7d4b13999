"""The recipes that plugins offer, found by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isoscope.benchmarks.published import items
from isoscope.benchmarks.published.studies import nearest
from isoscope.benchmarks.reproduce.recipe import Recipe
from isoscope.core.errors import InputError, NotFound
from isoscope.core.lab import Lab
from isoscope.core.plugins import choose, offers, plugin_manager


def recipes(lab: Lab) -> dict[str, Callable[[], Recipe]]:
    """What makes each recipe, by STUDY/ITEM, in the order of the published figures, strangers' at the end."""
    found = _offers(lab.plugins)
    order = ["/".join(pair) for pair in items()]
    return {name: found[name] for name in sorted(found, key=lambda name: (_place(order, name), name))}


def offered(name: str) -> Recipe:
    """The recipe of a run that was made. Raises NotFound when it is not installed here."""
    return _made(name, choose(_offers(plugin_manager().hook), name, "recipe"))


def chosen(lab: Lab, name: str) -> list[Recipe]:
    """The recipe of STUDY/ITEM, or all of STUDY. Raises NotFound, with the nearest names."""
    found = recipes(lab)
    names = [one for one in found if name in (one, one.split("/")[0])]
    if names:
        return [_made(one, found[one]) for one in names]
    kind = "recipe" if "/" in name else "study"
    if name in {"/".join(pair) for pair in items()} | {study for study, _ in items()}:
        raise NotFound(
            f"there is no recipe for {name!r}: its figures are kept to be looked up alone",
            hint="isoscope reproduce --list shows what can be repeated",
        )
    known = dict.fromkeys(found if kind == "recipe" else (one.split("/")[0] for one in found))
    raise NotFound(f"there is no {kind} {name!r}", hint=nearest(name, known))


def _offers(plugins: Any) -> dict[str, Callable[[], Recipe]]:
    found: dict[str, Callable[[], Recipe]] = offers(plugins.isoscope_register_recipes, "recipe")
    return found


def _made(name: str, make: Callable[[], Recipe]) -> Recipe:
    recipe = make()
    if recipe.name != name:
        raise InputError(f"the recipe {name!r} calls itself {recipe.name!r}", hint="mend its plugin")
    return recipe


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)
