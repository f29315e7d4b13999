"""The network as instances see it: addresses, routes, neighbours, the way out and nobody's way in."""

from __future__ import annotations

import errno
import json
import os
import socket
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from isoscope.backends.network import BridgeNetwork, Lease, netlink
from isoscope.backends.network import subnet as subnets
from isoscope.core.errors import HostError

from .conftest import entered, ip

pytestmark = pytest.mark.root


@pytest.fixture
def instance(network, record, make_namespace):
    """Connect a namespace, as the container backend does."""

    def make():
        lease, namespace = network.lease(record()), make_namespace()
        network.connect(lease, namespace.fd)
        return lease, namespace

    return make


def test_a_lease_has_all_that_a_guest_needs_and_stands_in_the_record(network, record, home):
    mine = record()
    lease = network.lease(mine)
    place = IPv4Network((lease.address, lease.prefix_length), strict=False)
    assert IPv4Address(lease.gateway) in place
    assert lease.gateway != lease.address
    assert lease.bridge == network.bridge
    assert all(name.startswith("isoscope") and len(name) <= 15 for name in (lease.bridge, lease.interface))
    assert lease.bridge != lease.interface
    assert int(lease.mac.split(":")[0], 16) & 3 == 2, "locally administered, and not a group"
    stored = json.loads((mine.directory / "record.json").read_text())["resources"]["network"]
    assert Lease.from_dict(stored) == lease


def test_the_same_record_gets_the_same_lease(network, record):
    mine = record()
    assert network.lease(mine) == network.lease(mine)


def test_no_two_instances_share_an_address_a_mac_or_a_device(network, record):
    leases = [network.lease(record()) for _ in range(50)]
    for field in ("address", "mac", "interface"):
        assert len({getattr(lease, field) for lease in leases}) == 50, field


def test_a_freed_address_is_given_again(network, record):
    first, second = record(), record()
    address = network.lease(first).address
    network.lease(second)
    network.release(first)
    assert network.lease(record()).address == address


def test_instances_reach_each_other_and_the_host(instance):
    (one, inside_one), (other, inside_other) = instance(), instance()
    assert inside_one.pings(other.address)
    assert inside_other.pings(one.address)
    assert inside_one.pings(one.gateway)
    assert inside_one.pings("127.0.0.1")


def test_the_device_is_as_the_lease_says(instance, outside):
    lease, inside = instance()
    (device,) = json.loads(inside.run("ip", "-j", "address", "show", "eth0").stdout)
    assert device["address"] == lease.mac
    assert device["mtu"] == lease.mtu == 1400, "that of the device which the host's default route leaves by"
    (address,) = device["addr_info"]  # and so no IPv6 one
    assert (address["local"], address["prefixlen"]) == (lease.address, lease.prefix_length)
    (route,) = json.loads(inside.run("ip", "-j", "route", "show", "default").stdout)
    assert (route["gateway"], route["dev"]) == (lease.gateway, "eth0")
    (port,) = json.loads(ip("-j", "link", "show", "dev", lease.interface))
    assert (port["master"], port["mtu"]) == (lease.bridge, lease.mtu)


def test_the_outside_is_reached_by_the_hosts_address(instance, outside):
    _, inside = instance()
    assert inside.pings("203.0.113.2"), "who has no route back to the instance's own address"


def test_nobody_outside_reaches_an_instance_unasked(instance, outside):
    lease, inside = instance()
    outside.run("ip", "route", "add", "10.0.0.0/8", "via", "203.0.113.1")
    assert outside.pings("203.0.113.1")
    assert not outside.pings(lease.address, patience=1)
    assert inside.pings("203.0.113.2"), "answers go through"


def test_the_first_packet_is_not_lost(network, record, make_namespace):
    for _ in range(30):
        mine, inside = record(), make_namespace()
        lease = network.lease(mine)
        network.connect(lease, inside.fd)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind((lease.gateway, 0))
            receiver.settimeout(20)
            with entered(inside):
                # Asked for once, a neighbour that has not been heard is not there.
                Path("/proc/sys/net/ipv4/neigh/eth0/mcast_solicit").write_text("1")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"first", receiver.getsockname())
            assert receiver.recv(100) == b"first"
        network.release(mine)
        network.close()  # and so each is the first port of a new bridge


def test_changes_that_were_missed_are_asked_for(instance, monkeypatch):
    class Deaf(socket.socket):
        missed = 0

        def recv(self, size):
            datagram = super().recv(size)
            if Deaf.missed < 3:
                Deaf.missed += 1
                raise OSError(errno.ENOBUFS, "what socket buffers of netlink(7) say that are too small")
            return datagram

    def open_socket(protocol=socket.NETLINK_ROUTE, groups=0):
        made = real(protocol, groups)
        return Deaf(fileno=made.detach()) if groups else made

    real = netlink.open_socket
    monkeypatch.setattr(netlink, "open_socket", open_socket)
    lease, inside = instance()
    assert Deaf.missed == 3
    assert inside.pings(lease.gateway)


def test_the_bridge_keeps_its_mac_when_ports_come_and_go(instance, network):
    def mac():
        (bridge,) = json.loads(ip("-j", "link", "show", "dev", network.bridge))
        return bridge["address"]

    network.ensure()
    before = mac()
    instance(), instance()
    assert mac() == before


def test_a_full_subnet_says_so(network, record, monkeypatch):
    monkeypatch.setattr(subnets, "PREFIX_LENGTH", 29)
    for _ in range(5):
        network.lease(record())
    with pytest.raises(HostError, match=r"no address is left in .*/29: 5 instances") as error:
        network.lease(record())
    assert "isoscope gc" in error.value.hint


def test_a_subnet_is_large_enough_for_a_thousand_instances(network):
    assert 2 ** (32 - subnets.PREFIX_LENGTH) > 1000


def test_connecting_a_namespace_twice_fails_and_leaves_the_first_connected(instance, network, record, make_namespace):
    lease, inside = instance()
    with pytest.raises(HostError, match="cannot connect"):
        network.connect(lease, make_namespace().fd)
    assert inside.pings(lease.gateway)


def test_what_is_not_a_namespace_is_refused(network, record):
    mine = record()
    lease = network.lease(mine)
    with open(os.devnull) as nothing, pytest.raises(HostError, match="cannot connect"):
        network.connect(lease, nothing.fileno())


def test_two_state_directories_have_two_networks(network, record, tmp_path):
    other = BridgeNetwork(tmp_path)
    other.ensure()
    network.ensure()
    try:
        places = {IPv4Network(entry["dst"]) for entry in json.loads(ip("-j", "route", "show", "proto", "kernel"))}
        assert len(places) == 2
        assert other.bridge != network.bridge
    finally:
        other.sweep([])
