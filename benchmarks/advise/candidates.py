"""Who may be the answer: every backend and variant that this host's lab knows, with what is known of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from isoscope.core.backend import Lack
from isoscope.core.capabilities import Capabilities
from isoscope.core.cli.diagnosis import Examined, examine
from isoscope.core.errors import InputError
from isoscope.core.host.facts import KvmStatus
from isoscope.core.lab import Lab
from isoscope.core.variant import Variant
from isoscope.core.workload import Network

#: What a backend can do that says nothing of it.
_USUAL = {"modules": False, "systems": "linux", "gpu": False, "pci": False, "migration": False}

KVM, TCG = "kvm", "tcg"

#: What stands for a kind of isolation of which nothing is known but what its backend declares.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Candidate:
    """A variant that may be the answer."""

    variant: str
    kind: str  #: process, container, user-space kernel, virtual machine
    layers: int  #: between the workload and the hardware
    traits: Mapping[str, Any]  #: by the names in requirements.toml
    capabilities: Capabilities
    accelerator: str = ""  #: with which its figures must have been made
    lacks: tuple[Lack, ...] = field(default=())  #: what is missing for it here

    @property
    def name(self) -> str:
        """Variant and accelerator, as series are called."""
        return f"{self.variant} ({self.accelerator})" if self.accelerator else self.variant

    @property
    def ready(self) -> bool:
        """Whether it can be run here and now."""
        return not self.lacks


def candidates(lab: Lab, measured: Iterable[str] = ()) -> list[Candidate]:
    """Every backend's own variants, and those variants of them that were measured here, whether ready or not."""
    found: list[Candidate] = []
    examined = {one.name: one for one in examine(lab) if one.capabilities is not None and one.capabilities.runs_image}
    for text in dict.fromkeys([*examined, *measured]):
        try:
            variant = Variant.parse(text)
            capabilities = lab.capabilities(variant)
        except InputError:  # a run of a backend or an option that is no more
            continue
        known = examined.get(text) or _nearest(variant, examined.values())
        if known is not None:
            lacks = (*known.lacks, *((Lack(known.error, "isoscope doctor"),) if known.error else ()))
            found += _at(lab, candidate(text, capabilities, lacks))
    return sorted(found, key=lambda one: (one.layers, not one.ready))


def _nearest(variant: Variant, examined: Iterable[Examined]) -> Examined | None:
    """What was found out about a variant of the same backend, with the most of its options."""
    alike = [
        (len(other.options), one)
        for other, one in ((Variant.parse(one.name), one) for one in examined)
        if other.backend == variant.backend and other.options.items() <= variant.options.items()
    ]
    return max(alike, key=lambda each: each[0], default=(0, None))[1]


def candidate(variant: str, capabilities: Capabilities, lacks: tuple[Lack, ...] = ()) -> Candidate:
    """A variant of a backend with these capabilities, on an accelerator that is still to be told."""
    known = _known(Variant.parse(variant))
    own = {
        "kernel": "own" if capabilities.own_kernel else "host",
        "nic": Network.VF in capabilities.networks,
        "memory_limit": "memory" in capabilities.limits,
    }
    return Candidate(
        variant=variant,
        kind=known.get("kind", UNKNOWN),
        layers=known.get("layers", 3 if capabilities.own_kernel else 1),
        traits={**_USUAL, **own, **known},
        capabilities=capabilities,
        lacks=lacks,
    )


def on(one: Candidate, accelerator: str, lacks: tuple[Lack, ...] = ()) -> Candidate:
    """A machine on one accelerator; one that TCG translates is an emulator."""
    traits = {**one.traits, "boundary": "emulator"} if accelerator == TCG else one.traits
    return replace(one, accelerator=accelerator, traits=traits, lacks=(*one.lacks, *lacks))


def _at(lab: Lab, one: Candidate) -> list[Candidate]:
    """The candidate on each accelerator that it may have: what KVM would be like is asked about where there is none."""
    if one.traits.get("boundary") != "hypervisor" or Variant.parse(one.variant).backend != "vm":
        return [one]
    chosen = Variant.parse(one.variant).options.get("accelerator", "auto")
    kvm = lab.host.kvm
    lack = Lack(
        f"KVM is {kvm.status.value} here: {kvm.reason}", "run it on a host where `isoscope doctor` finds KVM usable"
    )
    usable = kvm.status is KvmStatus.USABLE
    if chosen == TCG or (chosen == "auto" and not usable):
        return [on(one, TCG), *([] if chosen == TCG else [on(one, KVM, (lack,))])]
    return [on(one, KVM, () if usable else (lack,))]


def _known(variant: Variant) -> dict[str, Any]:
    """What the table has of the variant: the entry whose options it has, the longest first."""
    fitting = [
        (len(entry.options), facts)
        for entry, facts in ((Variant.parse(key), facts) for key, facts in table().items())
        if entry.backend == variant.backend and entry.options.items() <= variant.options.items()
    ]
    return dict(max(fitting, key=lambda one: one[0], default=(0, {}))[1])


@cache
def table() -> dict[str, dict[str, Any]]:
    """What is known of each variant, by its text."""
    return tomllib.loads((files("isoscope.benchmarks.advise") / "candidates.toml").read_text(encoding="utf-8"))
