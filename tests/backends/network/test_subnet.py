"""Which subnet is taken: none that the host already has a way to."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from isoscope.backends.network import subnet
from isoscope.core.errors import HostError

from .conftest import ip

pytestmark = pytest.mark.root


def test_the_seed_decides_where_the_search_begins():
    assert subnet.choose(1, []) == subnet.choose(1, [])
    assert subnet.choose(1, []) != subnet.choose(2, [])
    assert all(subnet.choose(seed, []).is_private for seed in (0, 1, 0xFFFFFF))


@pytest.mark.parametrize("narrower", [20, 28, 32])
def test_a_taken_place_is_passed_over(narrower):
    first = subnet.choose(7, [])
    taken = next(first.subnets(new_prefix=narrower))
    assert not subnet.choose(7, [taken]).overlaps(taken)


def test_a_company_network_over_all_of_ten_is_passed_over():
    assert not subnet.choose(7, [IPv4Network("10.0.0.0/8")]).overlaps(IPv4Network("10.0.0.0/8"))


def test_nowhere_to_go_is_an_error_of_the_host():
    everything = [IPv4Network(place) for place in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15")]
    with pytest.raises(HostError, match="already routed"):
        subnet.choose(7, everything)


def test_routes_and_addresses_of_the_host_are_seen(outside):
    ip("link", "add", "elsewhere", "type", "bridge")
    ip("address", "add", "10.64.0.1/20", "dev", "elsewhere")
    ip("link", "set", "elsewhere", "up")
    ip("route", "add", "blackhole", "172.16.0.0/12", "table", "99")
    routed = subnet.routed()
    assert IPv4Network("10.64.0.0/20") in routed
    assert IPv4Network("172.16.0.0/12") in routed
    assert IPv4Network("203.0.113.0/24") in routed


def test_default_routes_take_no_place(outside):
    ip("route", "add", "0.0.0.0/1", "via", "203.0.113.2")
    assert all(place.prefixlen >= 8 for place in subnet.routed())


def test_a_network_moves_out_of_the_way(network, record):
    def place(lease):
        return IPv4Network((lease.address, lease.prefix_length), strict=False)

    mine = record()
    first = place(network.lease(mine))
    network.release(mine)
    network.close()
    ip("route", "add", "blackhole", str(next(first.subnets(new_prefix=30))))
    assert not place(network.lease(record())).overlaps(first)


def test_the_uplinks_mtu_is_taken_and_1500_without_one(host):
    assert subnet.uplink_mtu() == 1500


def test_the_uplinks_mtu(outside):
    assert subnet.uplink_mtu() == 1400
