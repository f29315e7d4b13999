"""The command line of the emulated host."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from isoscope.images.guest import Guest
from isoscope.rig.emulator import Emulator
from isoscope.rig.machine import Machine, Share

MACHINE = Machine(
    name="isoscope-0123456789ab",
    emulator=Emulator(Path("/q/qemu"), (Path("/q/data"),)),
    guest=Guest(Path("/g/kernel"), Path("/g/initrd"), "6.1", "linux-image 6.1", pvh=True),
    cpus=2,
    memory=2 << 30,
    console=Path("/h/console"),
    control=Path("/h/control"),
    tsc_khz=2_600_000,
)

TARGET = PurePosixPath("/t")


def values(command: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(command) if name == option]


def test_the_hosts_root_can_only_be_read() -> None:
    [root] = values(MACHINE.command(), "-fsdev")
    assert "path=/," in root
    assert root.endswith(",readonly=on")


def test_it_is_told_the_rate_of_its_clock() -> None:
    [words] = values(MACHINE.command(), "-append")
    assert "tsc_early_khz=2600000" in words.split()
    [words] = values(replace(MACHINE, tsc_khz=None).command(), "-append")
    assert "tsc_early_khz" not in words


def test_a_share_can_be_written_only_when_asked_for() -> None:
    shares = (Share("a", Path("/x"), TARGET, read_only=False), Share("b", Path("/y"), TARGET, read_only=True))
    _, writable, other = values(replace(MACHINE, shares=shares).command(), "-fsdev")
    assert "readonly" not in writable
    assert other.endswith(",readonly=on")


def test_it_never_takes_the_hosts_kvm() -> None:
    command = MACHINE.command()
    assert values(command, "-accel") == ["tcg,thread=multi"]
    assert "-enable-kvm" not in command


def test_a_comma_in_a_path_ends_no_option() -> None:
    share = Share("a", Path("/x,readonly=off,security_model=mapped"), TARGET, read_only=True)
    *_, device = values(replace(MACHINE, shares=(share,)).command(), "-fsdev")
    assert "path=/x,,readonly=off,,security_model=mapped,security_model=none" in device


def test_the_way_out_is_not_the_card() -> None:
    networks = values(MACHINE.command(), "-netdev")
    assert [network for network in networks if "restrict=on" in network] == [n for n in networks if "id=card" in n]


def test_firmware_that_was_fetched_is_looked_for_where_it_is() -> None:
    assert MACHINE.command()[:3] == ["/q/qemu", "-L", "/q/data"]
