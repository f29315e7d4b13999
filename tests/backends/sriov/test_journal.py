"""What is on the disk before the first write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from isoscope.backends.sriov import VfNetwork
from isoscope.backends.sriov import journal as module
from isoscope.backends.sriov.journal import Journal, claimant, journals
from isoscope.backends.sriov.links import Links
from isoscope.core.errors import HostError, InputError

from tests.backends.sriov.sysfs import listing

CARD = "0000:03:00.1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(module, "HOST_DIRECTORY", tmp_path / "run")
    (tmp_path / "home/sriov").mkdir(parents=True)
    return tmp_path / "home"


def journal(home: Path) -> Journal:
    return Journal(home / "sriov" / f"{CARD}.json", CARD, "enp3s0f1", up=False, autoprobe=True, subnet="10.64.0.0/20")


def test_it_comes_back_as_it_was_written(home: Path) -> None:
    written = journal(home)
    written.leases["0000:03:10.1"] = "abc"
    written.functions["0000:03:10.1"] = {"driver": "ixgbevf", "terms": {"vlan": {"vlan": 7, "qos": 1}}}
    written.begin()
    assert list(journals(home / "sriov")) == [written]
    assert claimant(CARD) == written.file
    written.forget()
    assert list(journals(home / "sriov")) == []
    assert claimant(CARD) is None
    assert list((home / "sriov").iterdir()) == []


def test_a_save_that_is_cut_short_leaves_what_was_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = journal(home)
    written.begin()
    written.leases["0000:03:10.1"] = "abc"
    monkeypatch.setattr(module.json, "dump", lambda _, file: file.write('{"card": "0000'))
    monkeypatch.setattr(module.os, "fsync", _killed)
    with pytest.raises(KeyboardInterrupt):
        written.save()
    [found] = journals(home / "sriov")
    assert found.leases == {}
    found.forget()
    assert list((home / "sriov").iterdir()) == []


def _killed(_: int) -> None:
    raise KeyboardInterrupt


def test_a_card_belongs_to_one_state_directory(home: Path, tmp_path: Path) -> None:
    first, second = journal(home), journal(tmp_path / "second")
    first.begin()
    first.begin()
    second.file.parent.mkdir(parents=True)
    with pytest.raises(InputError, match=f"another state directory, {home}"):
        second.begin()
    assert not second.file.exists()
    second.forget()
    assert claimant(CARD) == first.file, "what is another's stays"
    first.forget()
    second.begin()
    assert claimant(CARD) == second.file


def test_a_state_directory_that_was_removed_has_no_card(home: Path, tmp_path: Path) -> None:
    journal(home).begin()
    journal(home).file.unlink()
    second = journal(tmp_path / "second")
    second.file.parent.mkdir(parents=True)
    second.begin()
    assert claimant(CARD) == second.file


@pytest.mark.parametrize("text", ["", "{", "[]", '{"card": 1}', '{"unknown": true}'])
def test_one_that_cannot_be_read_is_told_and_kept(home: Path, text: str) -> None:
    file = home / "sriov" / f"{CARD}.json"
    file.write_text(text)
    with pytest.raises(HostError, match=f"so {CARD} cannot be restored"):
        list(journals(home / "sriov"))
    assert file.read_text() == text


@pytest.mark.root
def test_what_an_earlier_boot_wrote_says_nothing_of_this_one(home: Path, tree, host: Path) -> None:
    old = journal(home)
    old.begin()
    old.file.write_text(json.dumps({**json.loads(old.file.read_text()), "boot": "another", "made": 3}))
    vfs = VfNetwork(home, tree("ixgbe"), Links)
    before = listing(host)
    assert vfs.sweep([]) == [f"forgot what the card {CARD} was like before this boot"]
    assert listing(host) == before
    assert not old.file.exists()


@pytest.mark.root
def test_a_card_that_was_taken_out_is_forgotten(home: Path, tree) -> None:
    journal(home).begin()
    assert VfNetwork(home, tree(), Links).sweep([]) == [f"restored the card {CARD}"]
    assert claimant(CARD) is None


@pytest.mark.root
def test_a_card_that_cannot_be_restored_keeps_no_other(home: Path, tree, host: Path) -> None:
    """Somebody has a function of the first open; the second has been taken out."""
    used = Journal(home / "sriov/0000:03:00.0.json", "0000:03:00.0", "enp3s0f0", up=False, autoprobe=True, made=3)
    used.begin()
    journal(home).begin()
    pci = tree("ixgbe")
    before = listing(host)
    (host / "sys/bus/pci/devices" / CARD).unlink()
    kept, restored = VfNetwork(home, pci, Links).sweep([])
    assert kept == (
        "kept the card 0000:03:00.0 as it is: 0000:03:10.2 is handed out already: its driver is vfio-pci, and cannot go"
    )
    assert restored == f"restored the card {CARD}"
    assert listing(host) == {name: text for name, text in before.items() if name != f"sys/bus/pci/devices/{CARD}"}
    assert used.file.exists()
