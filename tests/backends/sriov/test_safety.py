"""Each refusal, on cards that the kernel would show so."""

from __future__ import annotations

import pytest
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Function, Pci
from isoscope.backends.sriov.safety import check_card, check_group, check_iommu, require_vfio, why_taken
from isoscope.core.errors import HostError, InputError

from tests.backends.sriov.conftest import function, planted

#: Port 1 of the ixgbe tree, which nobody uses, and port 0 with its functions.
FREE_PORT, PORT, HOSTS, VMS, FREE = "0000:03:00.1", "0000:03:00.0", "0000:03:10.0", "0000:03:10.2", "0000:03:10.4"
NOTHING = Links(up=frozenset({"lo"}))


@pytest.fixture
def card(tree) -> Function:
    return tree("ixgbe").function(FREE_PORT)


def test_a_card_that_nobody_uses_is_taken(card: Function) -> None:
    check_card(card, NOTHING, wanted=2, force=False)


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (Links(routes={"enp3s0f1": ("10.0.0.0/8", "default")}), "enp3s0f1 .* carries this host's default route"),
        (Links(addresses={"enp3s0f1": ("192.0.2.1/24",)}), "enp3s0f1 .* is in use: it has 192.0.2.1/24"),
        (Links(addresses={"enp3s0f1": ("fe80::1/64", "2001:db8::1/64")}), "is in use: it has 2001:db8::1/64"),
        (Links(addresses={"enp3s0f1": ("169.254.7.7/16",)}), "it has 169.254.7.7/16"),
        (Links(routes={"enp3s0f1": ("fe80::/64", "198.51.100.0/24")}), "the route to 198.51.100.0/24 leads through it"),
        (Links(masters={"enp3s0f1": "bond0"}), "is part of bond0"),
        (Links(uppers={"enp3s0f1": "enp3s0f1.100"}), "enp3s0f1.100 is on top of it"),
    ],
)
def test_a_card_that_the_host_uses_is_refused_unless_forced(card: Function, links: Links, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        check_card(card, links, wanted=1, force=False)
    assert "force=yes" in refused.value.hint
    check_card(card, links, wanted=1, force=True)


def test_what_the_kernel_gives_to_every_device_is_no_use(card: Function) -> None:
    links = Links(
        addresses={"enp3s0f1": ("fe80::1/64",)},
        routes={"enp3s0f1": ("fe80::/64", "ff00::/8")},
        up=frozenset({"enp3s0f1"}),
    )
    check_card(card, links, wanted=1, force=False)


def test_what_the_host_does_with_another_port_does_not_matter(card: Function) -> None:
    check_card(card, Links(routes={"enp3s0f0": ("default",)}), wanted=1, force=False)


@pytest.mark.parametrize("force", [False, True])
def test_more_than_the_card_has_is_refused(card: Function, force: bool) -> None:
    with pytest.raises(InputError, match="at most 63 virtual functions, not 64"):
        check_card(card, NOTHING, wanted=64, force=force)


@pytest.mark.parametrize("wanted", [2, 4])
@pytest.mark.parametrize("force", [False, True])
def test_functions_that_others_made_are_not_taken_away(tree, wanted: int, force: bool) -> None:
    found = tree("ixgbe").function(PORT)
    with pytest.raises(InputError, match="has 3 virtual functions already, made by somebody else"):
        check_card(found, NOTHING, wanted=wanted, force=force)
    for fitting in (0, 3):
        check_card(found, NOTHING, wanted=fitting, force=force)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"driver": ""}, "has no driver"),
        ({"driver": "vfio-pci", "net": []}, "no network device here: its driver is vfio-pci"),
        ({"net": ["p", "r"], "ports": {"p": "p0", "r": "pf0vf0"}}, "is in switchdev mode"),
    ],
)
def test_a_card_whose_driver_cannot_do_it_is_refused(tree, changes, said: str) -> None:
    found = tree("ixgbe", {FREE_PORT: {**planted("ixgbe")[FREE_PORT], **changes}}).function(FREE_PORT)
    with pytest.raises(HostError, match=said):
        check_card(found, NOTHING, wanted=1, force=True)


@pytest.mark.parametrize(
    ("name", "vf", "links", "said"),
    [
        ("ixgbe", VMS, NOTHING, "handed out already: its driver is vfio-pci"),
        ("mlx5", "0000:3b:00.6", NOTHING, "used by its driver mlx5_core, in another network namespace"),
        ("mlx5", "0000:3b:00.7", Links(up=frozenset({"ens1f0v1"})), "in use as ens1f0v1: it is up"),
        ("ixgbe", HOSTS, Links(addresses={"enp3s0f0v0": ("192.0.2.1/24",)}), "in use as enp3s0f0v0: it has 192.0.2.1"),
        ("ixgbe", HOSTS, Links(masters={"enp3s0f0v0": "br0"}), "in use as enp3s0f0v0: it is part of br0"),
        ("ixgbe", HOSTS, Links(uppers={"enp3s0f0v0": "macvlan0"}), "macvlan0 is on top of it"),
        ("ixgbe", HOSTS, NOTHING, ""),
        ("mlx5", "0000:3b:01.0", NOTHING, ""),
        ("ixgbe", FREE, NOTHING, ""),
    ],
)
def test_who_has_a_virtual_function(tree, name: str, vf: str, links: Links, said: str) -> None:
    found = why_taken(tree(name).function(vf), links)
    assert said in found
    assert bool(found) == bool(said)


def test_a_group_of_its_own_is_given_away(igb: Pci) -> None:
    check_group(igb, igb.function("0000:01:10.2"), to_vm=True, leased=())


def test_a_function_without_a_group_is_not_given_to_a_vm(tree) -> None:
    vf = {key: value for key, value in planted("ixgbe")[FREE].items() if key != "group"}
    pci = tree("ixgbe", {FREE: vf})
    with pytest.raises(HostError, match="is in no IOMMU group") as refused:
        check_group(pci, pci.function(FREE), to_vm=True, leased=())
    assert "intel_iommu=on" in refused.value.hint
    check_group(pci, pci.function(FREE), to_vm=False, leased=())


def test_a_card_without_a_group_cannot_serve_vms(tree) -> None:
    with pytest.raises(HostError, match="is in no IOMMU group"):
        check_iommu(tree(function(PORT, driver="ixgbe", sriov={"total": 63})).function(PORT))


def test_a_group_with_a_device_of_others_is_not_given_to_a_vm(tree) -> None:
    pci = tree("multifunction")
    said = r"group 7 of 0000:05:02.0 also holds 0000:05:00.0 \(bnxt_en\), 0000:05:00.1 \(bnx2fc\)$"
    with pytest.raises(HostError, match=said):
        check_group(pci, pci.function("0000:05:02.0"), to_vm=True, leased=())
    check_group(pci, pci.function("0000:05:02.0"), to_vm=False, leased=())


def test_a_bridge_in_the_group_does_not_matter(tree) -> None:
    pci = tree("bridge")
    check_group(pci, pci.function("0000:07:10.0"), to_vm=True, leased=())


def test_a_sibling_in_the_group_must_be_nobodys(tree) -> None:
    pci = tree("bridge")
    with pytest.raises(HostError, match=r"also holds 0000:07:10.4, which another instance uses"):
        check_group(pci, pci.function("0000:07:10.0"), to_vm=True, leased={"0000:07:10.4"})


@pytest.mark.parametrize("driver", ["igbvf", "vfio-pci"])
def test_a_sibling_in_the_group_must_have_no_driver(tree, driver: str) -> None:
    pci = tree("bridge", {"0000:07:10.4": {**planted("bridge")["0000:07:10.4"], "driver": driver}})
    with pytest.raises(HostError, match=rf"also holds 0000:07:10.4, which {driver} uses"):
        check_group(pci, pci.function("0000:07:10.0"), to_vm=True, leased=())


def test_a_container_gets_nothing_of_a_group_that_a_vm_has(tree) -> None:
    pci = tree("bridge", {"0000:07:10.4": {**planted("bridge")["0000:07:10.4"], "driver": "vfio-pci"}})
    with pytest.raises(HostError, match=r"0000:07:10.4, which is handed to a VM"):
        check_group(pci, pci.function("0000:07:10.0"), to_vm=False, leased=())


def test_a_missing_vfio_is_told_with_what_has_it(tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # nor can modprobe(8) be found
    with pytest.raises(HostError, match="no driver vfio-pci") as refused:
        require_vfio(tree("bridge"))
    assert "modprobe vfio-pci" in refused.value.hint
    require_vfio(tree("ixgbe"))
