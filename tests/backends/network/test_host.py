"""What the network does to the host, and that all of it is undone: after a normal end, a failure, and a SIGKILL."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from isoscope.backends.network import BridgeNetwork, forwarding, nat
from isoscope.core.errors import HostError
from isoscope.core.registry import Registry
from isoscope.testing.host import HostSnapshot

from .conftest import ip

pytestmark = pytest.mark.root


def settings() -> dict[str, str]:
    """Every IPv4 setting of the host that forwarding has to do with."""
    conf = Path("/proc/sys/net/ipv4")
    files = [conf / "ip_forward", *conf.glob("conf/*/forwarding"), conf / "conf/all/accept_redirects"]
    return {str(file): file.read_text() for file in files}


def nft(*arguments: str) -> str:
    return subprocess.run(["nft", *arguments], capture_output=True, text=True, check=True).stdout


def fail(*_):
    raise HostError("no")


@pytest.fixture
def unchanged(home):
    """A check that the host is as it was when the test began, but for the records in the registry."""
    before, before_settings = HostSnapshot.take(home), settings()

    def check():
        for record in Registry(home):
            record.forget()
        assert before.difference(HostSnapshot.take(home)) == []
        assert settings() == before_settings
        assert not list(Path("/run").glob(f"isoscope/*{forwarding._memory().stem}*"))

    return check


def test_nothing_is_touched_before_the_first_lease(home, unchanged):
    BridgeNetwork(home).close()
    unchanged()


def test_everything_is_undone(network, record, make_namespace, unchanged):
    mine = record()
    network.connect(network.lease(mine), make_namespace().fd)
    network.release(mine)
    mine.forget()
    lines = network.sweep([])
    assert any(network.bridge in line for line in lines)
    assert any("nftables" in line for line in lines)
    assert "restored IPv4 forwarding" in lines
    unchanged()
    assert network.sweep([]) == []


def test_close_takes_down_what_nobody_uses(network, record, unchanged):
    mine = record()
    network.lease(mine)
    network.release(mine)
    network.close()
    unchanged()
    network.close()


def test_close_leaves_what_somebody_uses(network, record, home):
    mine = record()
    network.lease(mine)
    BridgeNetwork(home).ensure()
    other = BridgeNetwork(home)
    other.ensure()
    other.close()
    network.close()
    assert network.bridge in ip("link")


def test_sweep_leaves_what_a_living_owner_uses(network, record):
    mine = record()
    lease = network.lease(mine)
    assert network.sweep([]) == [], "a record made since `live` was listed counts"
    assert network.lease(mine) == lease


def test_release_is_idempotent_and_knows_no_lease(network, record):
    mine = record()
    network.release(mine)
    network.lease(mine)
    network.release(mine)
    network.release(mine)


def test_release_spares_the_next_holder_of_the_address(network, record, make_namespace, home):
    first = record()
    network.lease(first)
    stale = Registry(home).find(first.id)
    network.release(first)
    lease = network.lease(record())
    inside = make_namespace()
    network.connect(lease, inside.fd)
    network.release(stale)
    assert inside.pings(lease.gateway)


@pytest.mark.parametrize(
    "harm",
    [
        lambda network: nft("flush", "ruleset"),
        lambda network: Path("/proc/sys/net/ipv4/ip_forward").write_text("0"),
        lambda network: ip("link", "set", network.bridge, "down"),
        lambda network: ip("link", "delete", network.bridge),
    ],
    ids=["rules flushed", "forwarding off", "bridge down", "bridge gone"],
)
def test_what_others_broke_is_mended(network, record, make_namespace, outside, unchanged, harm):  # noqa: PLR0917
    first = record()
    before = network.lease(first)
    harm(network)
    lease, inside = network.lease(record()), make_namespace()
    network.connect(lease, inside.fd)
    assert inside.pings("203.0.113.2")
    assert lease.gateway == before.gateway, "instances that run keep their subnet"
    for mine in Registry(network.home):
        network.release(mine)
    network.close()
    unchanged()


def test_mending_doubles_no_rule(network):
    network.ensure()
    before = nft("list", "ruleset")
    ip("link", "set", network.bridge, "down")
    network.ensure()
    assert nft("list", "ruleset") == before


def test_what_cannot_be_mended_is_left_to_those_who_use_it(network, record, monkeypatch):
    network.lease(record())
    ip("link", "set", network.bridge, "down")
    monkeypatch.setattr("isoscope.backends.network.device.build_bridge", fail)
    with pytest.raises(HostError):
        network.lease(record())
    assert nat.stands(network._names)
    assert forwarding.is_on()


def test_a_bridge_that_was_removed_comes_back_where_it_was_while_instances_run(network, record):
    before = network.lease(record())
    ip("link", "delete", network.bridge)
    ip("route", "add", "blackhole", f"{before.address}/32")  # nobody else would settle here now
    assert network.lease(record()).gateway == before.gateway


def test_a_state_directory_removed_under_its_bridge_starts_anew(network, record, make_namespace, unchanged):
    network.connect(network.lease(record()), make_namespace().fd)
    (network.home / "network" / "leases.json").unlink()
    mine, inside = record(), make_namespace()
    lease = network.lease(mine)
    network.connect(lease, inside.fd)
    assert inside.pings(lease.gateway)
    network.release(mine)
    network.close()
    unchanged()


def test_two_state_directories_share_forwarding(network, tmp_path, unchanged):
    other = BridgeNetwork(tmp_path)
    network.ensure()
    other.ensure()
    assert "restored IPv4 forwarding" not in network.sweep([])
    assert forwarding.is_on(), "the other still needs it"
    assert "restored IPv4 forwarding" in other.sweep([])
    unchanged()


def test_every_setting_that_forwarding_touches_is_put_back(network):
    ip("link", "add", "elsewhere", "type", "bridge")
    redirects = Path("/proc/sys/net/ipv4/conf/all/accept_redirects")
    redirects.write_text("0")  # which turning forwarding off would make 1
    own = Path("/proc/sys/net/ipv4/conf/elsewhere/forwarding")
    own.write_text("1")  # while the host as a whole does not
    network.ensure()
    network.sweep([])
    assert own.read_text() == "1\n"
    assert redirects.read_text() == "0\n"
    assert not forwarding.is_on()


def test_forwarding_that_was_on_stays_on(network):
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    network.ensure()
    assert "restored IPv4 forwarding" not in network.sweep([])
    assert forwarding.is_on()


def test_forwarding_that_somebody_else_relies_on_by_now_stays_on(network):
    network.ensure()
    nft("add", "table", "ip", "newcomer")
    (line,) = [line for line in network.sweep([]) if "forwarding" in line]
    assert "'ip newcomer'" in line
    assert forwarding.is_on()


def test_only_our_own_table_is_touched(network):
    nft("add", "table", "ip", "theirs")
    nft("add", "chain", "ip", "theirs", "forward", "{ type filter hook forward priority 0; policy accept; }")
    before = nft("list", "ruleset")
    network.ensure()
    network.sweep([])
    assert nft("list", "ruleset") == before


def test_a_bridge_of_another_state_directory_is_left_alone(network):
    ip("link", "add", network.bridge, "type", "bridge")
    ip("link", "set", network.bridge, "alias", "isoscope /elsewhere")
    with pytest.raises(HostError, match="is not this state directory's: isoscope /elsewhere"):
        network.ensure()
    network.sweep([])
    assert network.bridge in ip("link")
    ip("link", "delete", network.bridge)


def test_a_device_of_another_state_directory_is_left_alone(network, record):
    """Names hold 16 bits of a hash: another directory's device may have the very name of ours."""
    mine = record()
    lease = network.lease(mine)
    ip("link", "add", "another", "type", "bridge")
    ip("link", "add", lease.interface, "type", "veth", "peer", "name", "theirs")
    ip("link", "set", lease.interface, "master", "another")
    network.release(mine)
    assert lease.interface in ip("link")
    ip("link", "delete", lease.interface)
    ip("link", "delete", "another")
    # One that is nobody's port is ours, half made.
    lease = network.lease(mine)
    ip("link", "add", lease.interface, "type", "veth", "peer", "name", "half-made")
    network.release(mine)
    assert lease.interface not in ip("link")


def test_a_firewall_that_drops_is_told_of(network, caplog):
    nft("add", "table", "ip", "filter")
    nft("add", "chain", "ip", "filter", "FORWARD", "{ type filter hook forward priority 0; policy drop; }")
    network.ensure()
    assert "'ip filter FORWARD' drops" in caplog.text
    assert "DOCKER-USER" in caplog.text


def test_a_firewall_that_knows_us_is_not(network, caplog):
    nft("add", "table", "ip", "filter")
    nft("add", "chain", "ip", "filter", "FORWARD", "{ type filter hook forward priority 0; policy drop; }")
    nft("add", "rule", "ip", "filter", "FORWARD", "iifname", "isoscope*", "accept")
    network.ensure()
    assert nat.forward_blockers() == []
    assert caplog.text == ""


def test_a_firewall_that_goes_while_it_is_looked_at_stops_nobody(network, caplog, monkeypatch):
    nft("add", "table", "ip", "filter")
    nft("add", "chain", "ip", "filter", "FORWARD", "{ type filter hook forward priority 0; policy drop; }")
    real = nat._run

    def late(arguments, text):
        if arguments[:3] == ["-j", "list", "table"]:
            nft("delete", "table", "ip", "filter")
        return real(arguments, text)

    monkeypatch.setattr(nat, "_run", late)
    network.ensure()
    assert caplog.text == ""


def test_a_failure_half_way_leaves_nothing(network, record, monkeypatch, unchanged):
    monkeypatch.setattr("isoscope.backends.network.device.build_bridge", fail)
    with pytest.raises(HostError, match="no"):
        network.lease(record())
    unchanged()


def test_no_nft_is_an_error_of_the_host(network, monkeypatch, unchanged):
    monkeypatch.setattr("isoscope.backends.network.nat.shutil.which", lambda *_, **__: None)
    with pytest.raises(HostError, match="nft is missing") as error:
        network.ensure()
    assert error.value.hint == "apt-get install nftables"
    monkeypatch.undo()
    unchanged()


def run_child(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, in the network namespace of the test."""
    text = PROLOGUE + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", text, str(home)], capture_output=True, text=True, check=False)


PROLOGUE = textwrap.dedent(
    """
    import ctypes, os, signal, sys
    from pathlib import Path
    from isoscope.backends.network import BridgeNetwork, bridge, device, forwarding, nat, netlink
    from isoscope.backends.network.leases import Leases
    from isoscope.core.registry import Record, Registry

    home = Path(sys.argv[1])
    network = BridgeNetwork(home)

    def record():
        return Registry(home).create(name="", variant="fake", workload={}, image="")
    """
)


def test_twenty_at_once_from_four_processes(home, network, unchanged):
    network.ensure()
    script = """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(5) as threads:
            for lease in threads.map(lambda _: network.lease(record()), range(5)):
                print(lease.address, lease.mac, lease.interface, lease.gateway)
    """
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: run_child(home, script), range(4)))
    assert [result.stderr for result in results] == [""] * 4
    leases = [line.split() for result in results for line in result.stdout.splitlines()]
    assert len(leases) == 20
    for column in range(3):
        assert len({lease[column] for lease in leases}) == 20
    assert len({lease[3] for lease in leases}) == 1
    lines = network.sweep([])
    assert sum("freed the address" in line for line in lines) == 20, "their owners are gone"
    unchanged()


def test_building_at_once_from_four_processes(home, network, unchanged):
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: run_child(home, "print(network.lease(record()).gateway)"), range(4)))
    assert [result.stderr for result in results] == [""] * 4
    assert len({result.stdout for result in results}) == 1
    network.sweep([])
    unchanged()


POINTS = [
    "forwarding._settings",  # nothing done yet, but the host's lock is held
    "forwarding._write",
    "nat.build",
    "device._without_ipv6",  # the bridge is there, without address, not up
    "device.build_bridge",
    "Record.claim",
    "Leases.save",
    "device._inside",  # the pair of devices is there
    "device.connect",
    "device.remove_port",  # in release: the device has gone, the address is not yet free
]


@pytest.mark.parametrize("point", POINTS)
def test_a_sigkill_anywhere_leaves_nothing_after_gc(point, home, network, unchanged):
    script = f"""
        owner, name = {point!r}.split(".")
        owner = globals()[owner]
        real = getattr(owner, name)

        def and_die(*arguments, **named):
            real(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        mine = record()
        setattr(owner, name, and_die)
        lease = network.lease(mine)
        ready, done = os.pipe()
        alive, until = os.pipe()
        if not (child := os.fork()):
            os.close(until), os.close(2)
            ctypes.CDLL(None).unshare(0x40000000)
            os.write(done, b".")
            os.read(alive, 1)
            os._exit(0)
        os.read(ready, 1)
        network.connect(lease, os.open(f"/proc/{{child}}/ns/net", os.O_RDONLY))
        network.release(mine)
    """
    with subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(script), str(home)], stderr=subprocess.PIPE
    ) as child:
        _, trouble = child.communicate(timeout=60)
    assert (child.returncode, trouble) == (-signal.SIGKILL, b"")
    for record in Registry(home):  # as Lab.gc does
        assert not record.owner.alive()
        network.release(record)
        record.forget()
    network.sweep([])
    unchanged()


def test_without_root_the_error_says_so(home, unchanged):
    for directory in (home, home / "instances"):
        directory.chmod(0o777)
    result = run_child(
        home,
        """
        import pyroute2
        os.setgid(65534), os.setuid(65534)
        try:
            network.lease(record())
        except Exception as error:
            print(type(error).__name__, error.exit_status, error.message, error.hint)
        """,
    )
    assert result.stdout.startswith("HostError 3"), result.stderr
    assert "root" in result.stdout
    unchanged()
