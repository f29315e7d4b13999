"""Our own small programs: that they are built the same everywhere, and say what they should, here on the host."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from isoscope.core.errors import HostError, NotFound
from isoscope.images import programs
from isoscope.images.programs import compile_program, names
from isoscope.images.recipes import Recipe
from isoscope.images.recipes import names as recipe_names
from isoscope.images.store import Store


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every program, compiled as for an image; a warning is an error here."""
    directory = tmp_path_factory.mktemp("programs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "CFLAGS", (*programs.CFLAGS, "-Werror"))
        for name in names():
            compile_program(name, directory / name)
    return directory


def run(program: Path, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def lines(program: Path, *arguments: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(program, *arguments).stdout.splitlines()]


def positive(numbers: Any, count: int) -> bool:
    return len(numbers) == count and all(isinstance(number, int) and number > 0 for number in numbers)


# Building


def has_interpreter(program: Path) -> bool:
    """Whether an ELF file (elf(5), 64 bits) names a dynamic linker."""
    data = program.read_bytes()
    assert data[:5] == b"\x7fELF\x02"
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    return any(struct.unpack_from("<I", data, offset + n * size) == (3,) for n in range(count))


def test_every_program_of_a_recipe_is_there_and_static(built: Path) -> None:
    wanted = {name for recipe in recipe_names() for name in Recipe.named(recipe).programs}
    assert wanted == set(names())
    assert {"account", "faults", "gups", "linpack", "stream", "syscalls"} <= wanted
    assert has_interpreter(Path("/proc/self/exe"))
    assert [name for name in names() if has_interpreter(built / name)] == []


def test_the_same_source_gives_the_same_bytes_wherever_it_lies(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "another place"
    shutil.copytree(programs.SOURCES, elsewhere)
    monkeypatch.setattr(programs, "SOURCES", elsewhere)
    for name in names():
        compile_program(name, tmp_path / "program")
        assert (tmp_path / "program").read_bytes() == (built / name).read_bytes(), name


@pytest.mark.root
def test_an_image_has_its_programs_and_the_same_digest_each_time(shared_home: Path, home: Path, built: Path) -> None:
    rootfs = Store(shared_home).rootfs("bench")
    for name in Recipe.named("bench").programs:
        found = rootfs.layers[0] / "usr/local/bin" / name
        assert found.read_bytes() == (built / name).read_bytes()
        assert found.stat().st_mode & 0o777 == 0o755
    assert Store(home).build("bench") == rootfs.digest
    notes = Store(home).inspect("bench")["annotations"]
    assert notes["isoscope.programs"] == " ".join(Recipe.named("bench").programs)
    assert notes["isoscope.compiler"].startswith("gcc ")


def test_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="cannot compile our programs: gcc: No such file") as caught:
        compile_program("account", tmp_path / "program")
    assert caught.value.hint == "apt-get install gcc libc6-dev"


def test_a_program_that_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.c").write_text("int main(void) { return missing; }\n")
    monkeypatch.setattr(programs, "SOURCES", tmp_path)
    with pytest.raises(HostError, match=r"'broken': broken.c:1:.* error: .*missing"):
        compile_program("broken", tmp_path / "program")


def test_a_program_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no program") as caught:
        compile_program("../recipes/base", tmp_path / "program")
    assert "syscalls" in caught.value.hint


# Running


def test_syscalls_times_every_call(built: Path, tmp_path: Path) -> None:
    first, *rest = lines(built / "syscalls", 6, 3, tmp_path)
    assert first["program"] == "syscalls"
    assert first["seccomp"] in (0, 1, 2)
    assert first["filesystem"] > 0
    begins, ends = rest[::2], rest[1::2]
    assert [line["begin"] for line in begins] == [line["call"] for line in ends]
    assert " ".join(line["call"] for line in ends) == (
        "getpid open+close read write mmap+touch+munmap context-switch fork+exec+wait"
    )
    for line in ends:
        assert positive(line["ns"], 3), line
        assert line["calls"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_switch_is_half_a_round(built: Path, tmp_path: Path) -> None:
    """A round of a byte through both pipes is two switches, so that their number is even."""
    (found,) = (line for line in lines(built / "syscalls", 3, 1, tmp_path) if line.get("call") == "context-switch")
    assert found["calls"] % 2 == 0


def test_syscalls_makes_the_calls_that_it_names(built: Path, tmp_path: Path) -> None:
    """As another witness has it: the kernel counts processes, and bytes read and written (proc_pid_io(5))."""
    forked = int(Path("/proc/stat").read_text().partition("processes ")[2].split()[0])
    script = '"$@" >"$OUT" && cat /proc/$$/io'  # the shell's, which hold those of the children that it waited for
    command = ["sh", "-c", script, "sh", str(built / "syscalls"), "60", "20", str(tmp_path)]
    environment = {**os.environ, "OUT": str(tmp_path / "out")}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    accounts = dict(line.split(": ") for line in told.splitlines())
    calls = {
        line["call"]: line["calls"] * len(line["ns"])
        for line in map(json.loads, (tmp_path / "out").read_text().splitlines())
        if "call" in line
    }
    assert int(accounts["rchar"]) >= 4096 * calls["read"]
    assert int(accounts["wchar"]) >= 4096 * calls["write"]
    later = int(Path("/proc/stat").read_text().partition("processes ")[2].split()[0])
    assert later - forked >= calls["fork+exec+wait"]


def test_stream_moves_what_it_says(built: Path) -> None:
    begin, end, *found = lines(built / "stream", 2, 3)
    assert begin == {"begin": "stream"}
    assert end["huge"] >= 0
    counted = {line["operation"]: line["bytes"] >> 20 for line in found}
    assert counted == {"copy": 4, "scale": 4, "add": 6, "triad": 6}
    assert all(positive(line["ns"], 3) for line in found)


def test_faults_says_what_each_step_took(built: Path) -> None:
    found = {line["pages"]: line for line in lines(built / "faults", 4, 3) if "pages" in line}
    assert set(found) == {"4k", "thp"}
    for line in found.values():
        assert line["bytes"] == 4 << 20
        assert all(positive(line[step], 3) for step in ("map", "touch", "unmap"))
    assert found["4k"]["huge"] == 0
    assert found["thp"]["huge"] in range(0, (4 << 20) + 1, 2 << 20)


def test_linpack_counts_operations(built: Path) -> None:
    begin, found = lines(built / "linpack", 20, 2)
    assert begin == {"begin": "linpack"}
    one = 2 / 3 * 256**3 + 2 * 256**2
    assert found["operations"] == pytest.approx(found["solved"] * one, abs=1)
    assert found["simd"] in ("avx512f", "avx2", "sse2", "default")
    assert positive(found["ns"], 2)


def test_gups_updates_a_table_of_a_power_of_two(built: Path) -> None:
    begin, end, found = lines(built / "gups", 3, 2)
    assert begin == {"begin": "gups"}
    assert end["huge"] >= 0
    assert found["bytes"] == 2 << 20
    assert found["updates"] % 128 == 0
    assert found["updates"] >= (2 << 20) / 8 / 4
    assert positive(found["ns"], 2)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_rr_gets_an_answer_to_each_request(built: Path, protocol: str) -> None:
    with socket.socket() as any_socket:
        any_socket.bind(("127.0.0.1", 0))
        port = str(any_socket.getsockname()[1])
    with subprocess.Popen([built / "rr", "serve", protocol, port, "100", "200"], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            assert json.loads(server.stdout.readline()) == {"begin": "rr"}
            [found] = lines(built / "rr", "ask", protocol, "127.0.0.1", port, 100, 200, 20)
        finally:
            server.kill()
    assert found["transactions"] > 0
    assert found["ns"] >= 20_000_000
    assert found["lost"] == 0


def test_account_puts_a_frame_around_a_command(built: Path) -> None:
    spin = "i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done; echo x"
    begin, middle, end = run(built / "account", "sh", "-c", spin).stdout.split()
    assert json.loads(begin) == {"begin": "account"}
    assert middle == "x"
    account = json.loads(end)["account"]
    assert account["ns"] > 0
    assert account["user"] + account["system"] > 0
    assert account["minor_faults"] > 0


@pytest.mark.parametrize(
    ("command", "status"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["missing"], 127), (["/"], 126)],
)
def test_account_ends_as_its_command_did(built: Path, command: list[str], status: int) -> None:
    assert json.loads(run(built / "account", *command, status=status).stdout.splitlines()[-1])["account"]["ns"] > 0


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("account", []),
        ("faults", ["16"]),
        ("faults", ["16", "0"]),
        ("gups", ["0", "2"]),
        ("linpack", ["-1", "2"]),
        ("linpack", ["1x", "2"]),
        ("rr", ["serve", "tcp", "70000", "1", "1"]),
        ("rr", ["ask", "tcp"]),
        ("stream", ["", "2"]),
        ("stream", ["16", "201"]),
        ("syscalls", ["10", "2"]),
        ("syscalls", ["10", "99999999999999999999", "/tmp"]),
    ],
)
def test_wrong_arguments(built: Path, program: str, arguments: list[str]) -> None:
    done = run(built / program, *arguments, status=2)
    assert done.stdout == ""
    assert "usage" in done.stderr or "is not a number between" in done.stderr


def test_what_fails_is_said(built: Path, tmp_path: Path) -> None:
    done = run(built / "syscalls", 10, 2, tmp_path / "missing", status=1)
    assert "missing/isoscope-syscalls" in done.stderr
    assert "No such file or directory" in done.stderr
