"""Address translation and forwarding rules: one nftables table of ours, handed to nft(8) as libnftables-json(5)."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
from ipaddress import IPv4Network
from typing import Any

from isoscope.backends.network.names import Names
from isoscope.backends.network.netlink import NetlinkFailed, encode, refused, request
from isoscope.core.errors import HostError

_NETLINK_NETFILTER = 12  # linux/netlink.h; Python does not name it
_GET_TABLE = 10 << 8 | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE: linux/netfilter/nf_tables.h
_SRCNAT, _FILTER = 100, 0  # priorities, nft(8) "Standard priority names"

Json = dict[str, Any]


def build(names: Names, subnet: IPv4Network) -> None:
    """Make our table, in place of one that stands there already, in one transaction. Raises HostError."""
    table = {"family": "ip", "name": names.table}
    _nft(
        {"add": {"table": table}},
        {"delete": {"table": table}},  # deleting needs one to be there, hence the line before
        {"add": {"table": table}},
        _base_chain(names, "postrouting", "nat", _SRCNAT),
        _rule(names, "postrouting", _from(subnet), _device("oifname", "!=", names), {"masquerade": None}),
        _base_chain(names, "forward", "filter", _FILTER),
        _rule(names, "forward", _device("iifname", "==", names), {"accept": None}),
        _rule(names, "forward", _device("oifname", "==", names), _ANSWERS, {"accept": None}),
        # Forwarding is on for the whole host: nobody out there is to reach an instance unasked.
        _rule(names, "forward", _device("oifname", "==", names), {"drop": None}),
    )


def stands(names: Names) -> bool:
    """Whether our table is there: `nft flush ruleset` and a restart of somebody's firewall remove it."""
    from pyroute2.netlink.nfnetlink.nftsocket import nft_table_msg

    ask = encode(nft_table_msg, _GET_TABLE, 0, {"nfgen_family": socket.AF_INET}, [("NFTA_TABLE_NAME", names.table)])
    try:
        request(ask, protocol=_NETLINK_NETFILTER)
    except NetlinkFailed as error:
        if error.errno == errno.ENOENT:
            return False
        raise refused("ask for nftables tables", error) from error
    return True


def remove(names: Names) -> bool:
    """Remove our table. Returns whether there was one. Raises HostError."""
    if not stands(names):
        return False
    _nft({"delete": {"table": {"family": "ip", "name": names.table}}})
    return True


def foreign_tables() -> list[str]:
    """Family and name of every nftables table that is not one of ours."""
    tables = [f"{entry['family']} {entry['name']}" for entry in _list("tables", "table")]
    return sorted(table for table in tables if not table.startswith("ip isoscope_"))


def forward_blockers() -> list[str]:
    """Other people's forward chains that drop whatever they do not know, and say nothing of our devices.

    A verdict `accept` of ours does not overrule them (nft(8), "Verdict statements"), and they are not ours to change.
    """
    return [
        f"{chain['family']} {chain['table']} {chain['name']}"
        for chain in _list("chains", "chain")
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and not _knows_us(chain)
    ]


def _knows_us(chain: Json) -> bool:
    """Whether anything in the chain's table names our devices: then its owner has made an exception for them."""
    if chain["table"].startswith("isoscope_"):
        return True
    try:
        return "isoscope" in _run(["-j", "list", "table", chain["family"], chain["table"]], "")
    except HostError:  # its owner has just removed it
        return True


_ANSWERS = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}


def _base_chain(names: Names, name: str, kind: str, priority: int) -> Json:
    hook = {"type": kind, "hook": name, "prio": priority, "policy": "accept"}
    return {"add": {"chain": {"family": "ip", "table": names.table, "name": name, **hook}}}


def _rule(names: Names, chain: str, *expressions: Json) -> Json:
    return {"add": {"rule": {"family": "ip", "table": names.table, "chain": chain, "expr": list(expressions)}}}


def _from(subnet: IPv4Network) -> Json:
    source = {"payload": {"protocol": "ip", "field": "saddr"}}
    prefix = {"prefix": {"addr": str(subnet.network_address), "len": subnet.prefixlen}}
    return {"match": {"op": "==", "left": source, "right": prefix}}


def _device(key: str, operator: str, names: Names) -> Json:
    return {"match": {"op": operator, "left": {"meta": {"key": key}}, "right": names.bridge}}


def _nft(*commands: Json) -> None:
    _run(["-j", "-f", "-"], json.dumps({"nftables": commands}))


def _list(what: str, kind: str) -> list[Json]:
    entries = json.loads(_run(["-j", "list", what], ""))["nftables"]
    return [entry[kind] for entry in entries if kind in entry]


def _run(arguments: list[str], text: str) -> str:
    # A shell without root's PATH lacks /usr/sbin, where Debian keeps nft.
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise HostError("nft is missing, which sets up address translation", hint="apt-get install nftables")
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        trouble = done.stderr.strip().partition("\n")[0]
        raise HostError(f"nft failed: {trouble}", hint="run as root, on a kernel with nf_tables: isoscope doctor")
    return done.stdout
