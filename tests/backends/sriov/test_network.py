"""What a lease refuses before it touches anything, and what its plan tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from isoscope.backends.sriov import VfNetwork, vf_terms
from isoscope.backends.sriov import journal as journals
from isoscope.backends.sriov.journal import Journal
from isoscope.backends.sriov.lease import VfTerms
from isoscope.backends.sriov.links import Links
from isoscope.backends.sriov.pci import Pci
from isoscope.backends.sriov.terms import OPTIONS
from isoscope.core.errors import HostError, InputError
from isoscope.core.registry import Record, Registry

from tests.backends.sriov.conftest import function, planted
from tests.backends.sriov.sysfs import listing

NOTHING = Links(up=frozenset({"lo"}))
ROUTES = Links(routes={"enp3s0f0": ("default",), "enp3s0f1": ("198.51.100.0/24",)})


def terms(**options: str) -> VfTerms:
    defaults: Mapping[str, str] = {option.name: option.default for option in OPTIONS}
    return vf_terms({**defaults, **options})


@pytest.fixture(autouse=True)
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the links are that say whose a card is."""
    directory = tmp_path / "run"
    directory.mkdir()
    monkeypatch.setattr(journals, "HOST_DIRECTORY", directory)
    return directory


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Registry(tmp_path / "home").create(name="", variant="vm", workload={}, image="")


def network(tmp_path: Path, pci: Pci, links: Links = NOTHING) -> VfNetwork:
    return VfNetwork(tmp_path / "home", pci, lambda: links)


@pytest.mark.root
@pytest.mark.parametrize("to_vm", [False, True])
@pytest.mark.parametrize(
    ("name", "options", "links", "said"),
    [
        ("ixgbe", {"pf": "nothing"}, NOTHING, "'nothing' is no card with virtual functions"),
        ("ixgbe", {"pf": "enp3s0f0v0"}, NOTHING, "'enp3s0f0v0' is no card with virtual functions"),
        ("ixgbe", {"pf": "0000:00:02.0"}, NOTHING, "is no card with virtual functions"),
        ("ixgbe", {"pf": "enp3s0f1", "vfs": "64"}, NOTHING, "at most 63 virtual functions, not 64"),
        ("ixgbe", {"pf": "0000:03:00.0", "vfs": "2"}, NOTHING, "has 3 virtual functions already"),
        ("ixgbe", {}, ROUTES, "enp3s0f0 .* carries this host's default route"),
        ("ixgbe", {"pf": "enp3s0f1"}, ROUTES, "the route to 198.51.100.0/24 leads through it"),
        ("mlx5", {"pf": "ens1f0np0", "vfs": "9"}, NOTHING, "at most 8 virtual functions, not 9"),
        ("mlx5", {}, Links(up=frozenset({"ens1f0v1", "ens1f0v2"})), "no virtual function of 0000:3b:00.0 is free"),
    ],
)
def test_nothing_is_touched_by_what_is_refused(
    tree, host: Path, tmp_path: Path, record: Record, *, name, options, links, said, to_vm
) -> None:
    vfs = network(tmp_path, tree(name), links)
    before = listing(host), listing(tmp_path / "home")
    for ask in (lambda t: vfs.plan(t, to_vm=to_vm), lambda t: vfs.lease(record, t, to_vm=to_vm)):
        with pytest.raises(InputError, match=said):
            ask(terms(**options))
    assert (listing(host), listing(tmp_path / "home")) == before


@pytest.mark.root
def test_no_iommu_no_vm(tree, host: Path, tmp_path: Path, record: Record) -> None:
    card = {"driver": "ixgbe", "net": ["enp3s0"], "sriov": {"total": 63, "offset": 128, "stride": 2}}
    vfs = network(tmp_path, tree(function("0000:03:00.0", **card)))
    before = listing(host)
    for ask in (lambda: vfs.plan(terms(), to_vm=True), lambda: vfs.lease(record, terms(), to_vm=True)):
        with pytest.raises(HostError, match="is in no IOMMU group"):
            ask()
    assert vfs.plan(terms(), to_vm=False), "a container's function is the host's"
    assert listing(host) == before


@pytest.mark.root
def test_a_group_that_is_shared_is_refused_before_a_card_is_taken(
    tree, host: Path, tmp_path: Path, record: Record
) -> None:
    vfs = network(tmp_path, tree("multifunction"))
    before = listing(host)
    for ask in (lambda: vfs.plan(terms(), to_vm=True), lambda: vfs.lease(record, terms(), to_vm=True)):
        with pytest.raises(HostError, match=r"group 7 .* also holds 0000:05:00.0 \(bnxt_en\), 0000:05:00.1 \(bnx2fc\)"):
            ask()
    assert listing(host) == before


@pytest.mark.root
def test_a_missing_vfio_is_refused_before_a_card_is_taken(
    tree, host: Path, tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    vfs = network(tmp_path, tree("bridge"))
    before = listing(host)
    monkeypatch.setenv("PATH", "/nowhere")  # where no modprobe(8) is
    with pytest.raises(HostError, match="no driver vfio-pci"):
        vfs.lease(record, terms(), to_vm=True)
    assert listing(host) == before


@pytest.mark.root
def test_a_host_without_a_card(tree, tmp_path: Path, record: Record) -> None:
    vfs = network(tmp_path, tree(function("0000:00:1f.0", **{"class": 0x060100})))
    with pytest.raises(HostError, match="no network card here has virtual functions"):
        vfs.lease(record, terms(), to_vm=False)


@pytest.mark.root
def test_a_disk_controller_is_no_network_card(tree, tmp_path: Path, record: Record) -> None:
    disk = function("0000:04:00.0", driver="nvme", sriov={"total": 32}, **{"class": 0x010802})
    with pytest.raises(HostError, match="no network card here has virtual functions"):
        network(tmp_path, tree(disk)).lease(record, terms(), to_vm=True)


@pytest.mark.root
def test_a_card_of_another_state_directory_is_refused(tree, host: Path, tmp_path: Path, record: Record) -> None:
    other = Journal(tmp_path / "other/sriov/0000:03:00.1.json", "0000:03:00.1", "enp3s0f1", up=False, autoprobe=True)
    other.file.parent.mkdir(parents=True)
    other.begin()
    vfs = network(tmp_path, tree("ixgbe"))
    before = listing(host)
    with pytest.raises(InputError, match=f"handed out by another state directory, {tmp_path}/other"):
        vfs.lease(record, terms(pf="enp3s0f1"), to_vm=False)
    assert listing(host) == before
    assert not list((tmp_path / "home").glob("sriov/*"))


def test_the_plan_of_functions_that_are_to_be_made(tree, tmp_path: Path, host: Path) -> None:
    vfs = network(tmp_path, tree("ixgbe"))
    before = listing(host)
    asked = terms(pf="enp3s0f1", vfs="2", vlan="7", trust="on")
    told = "\n".join(vfs.plan(asked, to_vm=True))
    for part in (
        "card enp3s0f1: 0000:03:00.1, driver ixgbe, IOMMU group 14 of its own",
        "what enp3s0f1 is like now: 0 virtual functions, autoprobe 1, down",
        "write 0 to its sriov_drivers_autoprobe, and 2 to its sriov_numvfs",
        "makes 0000:03:10.1, 0000:03:10.3: without driver",
        "set for 0000:03:10.1, through the card: a hardware address, VLAN 7, spoof check on, trust on",
        "driver of 0000:03:10.1: none now, vfio-pci while the instance has it; afterwards the function is gone",
    ):
        assert part in told
    assert listing(host) == before
    assert not (tmp_path / "home").exists()


def test_the_plan_of_functions_that_others_made(tree, tmp_path: Path) -> None:
    told = "\n".join(network(tmp_path, tree("ixgbe")).plan(terms(pf="enp3s0f0"), to_vm=True))
    for part in (
        "virtual function 0: 0000:03:10.0, driver ixgbevf, IOMMU group 30 of its own: free",
        "virtual function 1: 0000:03:10.2, driver vfio-pci, IOMMU group 31 of its own: 0000:03:10.2 is handed",
        "virtual function 2: 0000:03:10.4, driver none, IOMMU group 32 of its own: free",
        "driver of 0000:03:10.0: ixgbevf now, vfio-pci while the instance has it; afterwards ixgbevf again",
    ):
        assert part in told
    assert "sriov_numvfs" not in told


def test_the_plan_tells_every_member_of_a_group(tree, tmp_path: Path) -> None:
    vfs = network(tmp_path, tree("multifunction"))
    told = "\n".join(vfs.plan(terms(), to_vm=False))
    members = "0000:00:1c.4 (pcieport), 0000:05:00.1 (bnx2fc), 0000:05:02.0 (no driver), 0000:05:02.1 (no driver)"
    assert f"card enp5s0f0: 0000:05:00.0, driver bnxt_en, IOMMU group 7 with {members}" in told
    assert "driver of 0000:05:02.0: none now, the one that the kernel has for it while" in told


def test_one_driver_before_and_after(tree, tmp_path: Path) -> None:
    links = Links(up=frozenset({"ens1f0v1"}))
    told = "\n".join(network(tmp_path, tree("mlx5"), links).plan(terms(), to_vm=False))
    assert "0000:3b:00.6, driver mlx5_core, IOMMU group 50 of its own: 0000:3b:00.6 is used by its driver" in told
    assert (
        "driver of 0000:3b:01.0: mlx5_core now, mlx5_core while the instance has it; afterwards mlx5_core again" in told
    )
    assert "move the network device of 0000:3b:01.0" in told


def test_the_plan_tells_of_a_driver_that_must_be_loaded(tree, tmp_path: Path) -> None:
    vf = {**planted("bridge")["0000:07:10.4"], "group": 23}
    told = network(tmp_path, tree("bridge", {"0000:07:10.4": vf})).plan(terms(), to_vm=True)
    assert "modprobe vfio-pci" in told


@pytest.mark.parametrize(
    ("name", "text"),
    [("vlan", "0"), ("vlan", "4095"), ("vlan", "-1"), ("vlan", "7.0"), ("vlan", "²"), ("vfs", "0"), ("vfs", "all")],
)
def test_a_number_out_of_range_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError, match=f"{name}={text} is not a number from 1 to"):
        terms(**{name: text})


def test_the_ends_of_the_range_are_in_it() -> None:
    assert (terms(vlan="1").vlan, terms(vlan="4094").vlan, terms().vlan) == (1, 4094, None)
