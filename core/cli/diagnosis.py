"""What each backend says of itself; one that fails to say anything is a row of its own, and no crash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from isoscope.core.backend import Backend, Lack
from isoscope.core.capabilities import Capabilities
from isoscope.core.errors import HostError, IsoscopeError
from isoscope.core.host.summary import Row, Section
from isoscope.core.lab import Lab
from isoscope.core.variant import Variant


@dataclass(frozen=True)
class Examined:
    """A variant whose backend was asked what it lacks; `backend` is None when it could not even be made."""

    name: str
    backend: Backend | None
    capabilities: Capabilities | None = None
    lacks: tuple[Lack, ...] = ()
    error: str = ""

    @property
    def ready(self) -> bool:
        """Whether it can run a workload here."""
        return not self.lacks and not self.error


def examine(lab: Lab) -> list[Examined]:
    """Ask every backend about each of its variants, the backends side by side."""
    names = lab.backend_names
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        return [examined for found in pool.map(lambda name: _ask(lab, name), names) for examined in found]


def _ask(lab: Lab, name: str) -> list[Examined]:
    backend = None
    try:
        backend = lab.backend(name)
        lacks = tuple(backend.lacks())
        return [_ask_about(backend, Variant(name, options), lacks) for options in backend.variants()]
    except Exception as error:  # a stranger's plugin may raise anything
        text = error.message if isinstance(error, IsoscopeError) else f"{type(error).__name__}: {error}"
        return [Examined(name, backend, backend.capabilities if backend else None, error=text)]


def _ask_about(backend: Backend, variant: Variant, lacks: tuple[Lack, ...]) -> Examined:
    options = variant.backend_options(backend.options)
    if not lacks:
        try:
            backend.check(options)
        except HostError as error:
            lacks = (Lack(error.message, error.hint),)
    return Examined(str(variant), backend, backend.capabilities_for(options), lacks)


def verdict(examined: Examined) -> dict[str, Any]:
    """Whether a backend is ready, as plain data."""
    return {
        "name": examined.name,
        "ready": examined.ready,
        "lacks": [{"what": lack.what, "remedy": lack.remedy} for lack in examined.lacks],
        "error": examined.error or None,
    }


def description(examined: Examined) -> dict[str, Any]:
    """All that there is to say of a backend, as plain data."""
    backend = examined.backend
    if backend is None or examined.capabilities is None:
        return {**verdict(examined), "summary": None, "options": [], "capabilities": None}
    return {
        **verdict(examined),
        "summary": backend.summary,
        "options": [vars(option) | {"choices": list(option.choices)} for option in backend.options],
        "capabilities": examined.capabilities.as_dict(),
    }


def backend_section(backends: list[Examined]) -> Section:
    """For each backend: ready, or what is missing and what gets it."""
    return Section("Backends", tuple(row for examined in backends for row in _rows(examined)))


def _rows(examined: Examined) -> list[Row]:
    if examined.ready:
        return [Row(examined.name, "ready", good=True)]
    if examined.error:
        return [Row(examined.name, f"broken: {examined.error}", "uninstall or repair the plugin", good=False)]
    names = [examined.name, *[""] * (len(examined.lacks) - 1)]
    return [Row(name, lack.what, lack.remedy, good=False) for name, lack in zip(names, examined.lacks, strict=True)]


def description_section(examined: Examined) -> Section:
    """A backend, with its options and what it can do."""
    backend = examined.backend
    if backend is None or examined.capabilities is None:
        return Section(examined.name, tuple(_rows(examined)))
    told = examined.capabilities.as_dict()
    can = [name.replace("_", " ") for name, value in told.items() if value is True]
    rows = [Row("", backend.summary), *(Row("", row.text, row.remedy, row.good) for row in _rows(examined))]
    rows += [Row(name, ", ".join(told[name]) or "none") for name in ("networks", "limits")]
    rows.append(Row("can", ", ".join(can) or "nothing more"))
    rows += [
        Row(option.name, f"{'|'.join(option.choices)}, default {option.default}: {option.help}")
        for option in backend.options
    ]
    return Section(examined.name, tuple(rows))
