"""Which name servers an instance is told of."""

from __future__ import annotations

import pytest
from isoscope.backends.network.lease import Lease
from isoscope.backends.network.resolver import name_servers


@pytest.fixture
def files(tmp_path):
    def write(*texts):
        paths = [tmp_path / str(number) for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            if text is not None:
                path.write_text(text)
        return tuple(map(str, paths))

    return write


def test_the_hosts_servers(files):
    text = "# generated\nsearch a.example b.example\nnameserver 192.0.2.53\nnameserver 198.51.100.53\n"
    assert name_servers(files(text)) == (("192.0.2.53", "198.51.100.53"), ("a.example", "b.example"))


def test_behind_a_stub_stand_the_real_ones(files):
    stub, real = "nameserver 127.0.0.53\noptions edns0\nsearch a.example\n", "nameserver 192.0.2.1\nsearch b.example\n"
    assert name_servers(files(stub, real)) == (("192.0.2.1",), ("b.example",))


def test_servers_out_of_reach_are_left_out(files):
    text = "nameserver 2001:db8::53\nnameserver 127.0.0.1\nnameserver 0.0.0.0\nnameserver\nnameserver 192.0.2.1\n\n"
    assert name_servers(files(text)) == (("192.0.2.1",), ())


def test_a_host_without_a_resolver(files):
    assert name_servers(files(None, None)) == ((), ())


def test_the_guests_resolv_conf():
    terms = {"bridge": "b", "interface": "i", "mac": "m", "address": "a", "prefix_length": 20, "gateway": "g"}
    lease = Lease(**terms, mtu=1500, dns_servers=("192.0.2.1", "192.0.2.2"), dns_search=("a.example", "b.example"))
    assert lease.resolv_conf() == "search a.example b.example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"
    assert Lease(**terms, mtu=1500, dns_servers=(), dns_search=()).resolv_conf() == ""
