"""The options of a variant with the network `vf`."""

from __future__ import annotations

from collections.abc import Mapping

from isoscope.backends.sriov.lease import VfTerms
from isoscope.core.errors import InputError
from isoscope.core.variant import Option

_SWITCH = ("on", "off")

#: What backends that can take virtual functions offer; the words are those of ip-link(8).
OPTIONS = (
    Option("pf", "with network=vf: the card, by its network device or PCI address; else the first that nobody uses"),
    Option("vfs", "with network=vf: how many virtual functions are made where there are none; else as many as 8"),
    Option("vlan", "with network=vf: put the instance into this VLAN, out of the host's reach"),
    Option("trust", "with network=vf: let it change its hardware address and see others' packets", _SWITCH, "off"),
    Option("spoofchk", "with network=vf: drop what it sends under another hardware address", _SWITCH, "on"),
    Option("force", "with network=vf: take a card although this host uses it", ("no", "yes"), "no"),
)


def vf_terms(options: Mapping[str, str]) -> VfTerms:
    """The terms that the options set. Raises InputError."""
    return VfTerms(
        card=options["pf"],
        functions=_number(options, "vfs", 1, 65535) or 0,
        vlan=_number(options, "vlan", 1, 4094),
        trust=options["trust"] == "on",
        spoof_check=options["spoofchk"] == "on",
        force=options["force"] == "yes",
    )


def _number(options: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = options[name]
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise InputError(f"{name}={text} is not a number from {least} to {most}", hint=f"write {name}={least}")
    return int(text)
