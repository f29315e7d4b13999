"""The images that we ship, from the packages of this machine's distribution."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isoscope.core import Lab
from isoscope.core.errors import HostError, IsoscopeError, NotFound
from isoscope.images.bytecode import compile_python
from isoscope.images.recipes import Recipe, names
from isoscope.images.store import Store
from isoscope.images.tree import Tree

pytestmark = pytest.mark.root


def chroot(root: Path, *command: str) -> str:
    whole = ("/usr/sbin/chroot", str(root), *command)
    done = subprocess.run(whole, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def base(shared_home: Path) -> Path:
    (layer,) = Store(shared_home).rootfs("base").layers
    return layer


@pytest.fixture(scope="module")
def python(shared_home: Path) -> Path:
    (layer,) = Store(shared_home).rootfs("python").layers
    return layer


def size(tree: Path) -> int:
    inodes = {(status := path.lstat()).st_ino: status.st_blocks * 512 for path in tree.rglob("*")}
    return sum(inodes.values())


def test_base_is_a_shell_and_tools(base: Path) -> None:
    told = chroot(base, "/bin/sh", "-c", "echo hello | tr a-z A-Z; id -u; cat /etc/hosts")
    assert told.startswith("HELLO\n0\n127.0.0.1")
    for tool in ("true", "sleep", "env", "ls", "ip", "mount", "wget", "nc", "ps"):
        assert chroot(base, "/bin/sh", "-c", f"command -v {tool}")
    assert len({(base / name).stat().st_ino for name in ("usr/bin/busybox", "bin/sh", "bin/true", "usr/bin/env")}) == 1


def test_base_is_small(base: Path) -> None:
    assert size(base) < 3 << 20
    assert len({path.lstat().st_ino for path in base.rglob("*")}) < 60


def test_base_has_what_instances_need(base: Path) -> None:
    for name in ("dev", "proc", "sys", "tmp", "run", "root"):
        assert (base / name).is_dir()
    assert stat.S_IMODE((base / "tmp").stat().st_mode) == 0o1777
    assert stat.S_IMODE((base / "root").stat().st_mode) == 0o700
    assert (base / "etc/resolv.conf").is_file()
    assert os.readlink(base / "bin") == "usr/bin"


def test_python_runs_and_has_its_library(python: Path) -> None:
    assert chroot(python, "python3", "-c", "print(6*7)") == "42\n"
    modules = "ssl, sqlite3, ctypes, json, hashlib, lzma, bz2, zlib, socket, multiprocessing, asyncio, curses, readline"
    assert chroot(python, "python3", "-c", f"import {modules}; print(ssl.OPENSSL_VERSION)").startswith("OpenSSL")
    assert chroot(python, "sh", "-c", "cat /etc/os-release | head -n 1; test $(nproc) -ge 1").startswith("PRETTY_NAME=")


def test_python_is_compiled_already(python: Path) -> None:
    program = "import asyncio, sys; print(*filter(None, (getattr(m, '__cached__', 0) for m in sys.modules.values())))"
    cached = chroot(python, "python3", "-c", program).split()
    assert len(cached) > 30
    assert all(path.startswith("/usr/lib/python3") for path in cached)
    assert [path for path in cached if not (python / path.lstrip("/")).exists()] == []


def test_python_is_small(python: Path) -> None:
    assert size(python) < 100 << 20
    assert not (python / "usr/bin/dpkg").exists()
    assert not list((python / "usr/share").glob("man/*/*"))
    assert (python / "usr/share/doc/libc6/copyright").is_file()


def test_the_same_packages_give_the_same_digest(shared_home: Path, home: Path) -> None:
    first, second = Store(shared_home).rootfs("base").digest, Store(home).rootfs("base").digest
    assert first == second
    assert Store(home).build("base") == first


def test_byte_code_is_the_same_wherever_it_is_compiled(shared_home: Path, tmp_path: Path) -> None:
    """Compiled from the host's own interpreter and a few modules, twice, at two places."""
    from isoscope.images.apt import contents, download
    from isoscope.images.tarstream import entries

    recipe = Recipe.named("python")
    (tmp_path / "apt").mkdir()
    packages = download(["python3-minimal"], tmp_path / "apt")
    results = []
    for place in ("one", "another place"):
        kept = tmp_path / place / "kept"
        kept.mkdir(parents=True)
        tree = Tree(kept)
        for path, target in recipe.links.items():
            tree.symlink(path, target)
        for package in packages:
            with contents(package) as stream:
                for entry in entries(stream, package.name):
                    tree.unpack(entry, recipe.wants)
        compile_python(tree, tmp_path / place)
        results.append({path: node.data.read_bytes() for path, node in tree.nodes.items() if node.data})
    assert len([path for path in results[0] if path.endswith(".pyc")]) > 50
    assert results[0] == results[1]


def test_what_an_image_was_built_from_is_written_down(shared_home: Path, base: Path) -> None:
    facts = Store(shared_home).inspect("base")
    assert facts["annotations"]["isoscope.recipe"] == "base"
    assert facts["annotations"]["isoscope.packages"].startswith("busybox-static=")
    assert facts["cmd"] == ["/bin/sh"]
    assert facts["environment"]["PATH"]


def test_a_lab_builds_what_it_is_asked_for(lab: Lab, base: Path) -> None:
    rootfs = lab.images.rootfs("base")
    assert rootfs.command == ("/bin/sh",)
    assert rootfs.layers[0].resolve() == base.resolve()


def test_progress_is_told(home: Path) -> None:
    lines: list[str] = []
    Store(home, lines.append).rootfs("base")
    assert any("base" in line and "built" in line for line in lines)
    lines.clear()
    Store(home, lines.append).rootfs("base")
    assert lines == []


def test_nothing_of_the_build_is_left(home: Path) -> None:
    store = Store(home)
    store.build("base")
    assert [path for path in (home / "cache/builds").iterdir() if path.name != ".lock"] == []
    assert store.sweep() == []


@pytest.mark.parametrize(
    ("stub", "says"),
    [
        ("echo 'E: Unable to locate package busybox-static' >&2; exit 100", "Unable to locate"),
        ("echo 'W: something' >&2; echo 'E: Failed to fetch x  404' >&2; exit 100", "404"),
        ("exit 1", "status 1"),
    ],
)
def test_packages_that_cannot_be_had(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stub: str, says: str
) -> None:
    (tmp_path / "apt-get").write_text(f"#!/bin/sh\n{stub}\n")
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(HostError, match=says) as caught:
        Store(home).rootfs("base")
    assert "apt-get update" in caught.value.hint
    assert Store(home).ls() == []


def test_without_apt(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="apt-get is missing") as caught:
        Store(home).rootfs("base")
    assert "load" in caught.value.hint


def test_a_package_that_is_cut_short(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoscope.images import apt

    real = apt.download

    def cut(names: Any, into: Path) -> Any:
        packages = real(names, into)
        for package in packages:
            with package.file.open("r+b") as file:
                file.truncate(package.file.stat().st_size // 2)
        return packages

    monkeypatch.setattr("isoscope.images.build.download", cut)
    with pytest.raises(IsoscopeError, match="busybox-static"):
        Store(home).build("base")
    assert Store(home).ls() == []


def test_apt_uses_its_own_user_where_it_can_get(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No download as root when it can be avoided, and no warning when it cannot."""
    log = tmp_path / "log"
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec /usr/bin/apt-get "$@" 2>> {log}\n')
    (tmp_path / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    home.chmod(0o755)
    Store(home).build("base")
    assert "APT::Sandbox::User" not in log.read_text()
    home.chmod(0o700)
    Store(home).build("base")
    assert "APT::Sandbox::User=root" in log.read_text()
    assert "W:" not in log.read_text()


def test_recipes() -> None:
    assert set(names()) >= {"base", "python"}
    for name in names():
        recipe = Recipe.named(name)
        assert recipe.summary
        assert recipe.packages
        assert recipe.command
        assert "PATH" in recipe.environment
    with pytest.raises(NotFound, match="no recipe 'nope'"):
        Recipe.named("nope")


def test_without_root(home: Path, base: Path) -> None:
    """The store works for everybody; owners are given up, and in the virtual machine everything is root's."""
    program = (
        "import sys; from pathlib import Path; from isoscope.images.store import Store\n"
        "from isoscope.images.disk import disk_image\n"
        "store = Store(Path(sys.argv[1])); rootfs = store.rootfs('base'); print(rootfs.layers[0])\n"
        "print(disk_image(rootfs, store.home)); print(store.sweep())"
    )
    # In a user namespace, where root is an ordinary user who can still reach the interpreter.
    command = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, "-c", program, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    layer, disk, swept = done.stdout.splitlines()
    assert swept == "[]"
    assert sorted(os.listdir(layer)) == sorted(os.listdir(base))
    command = ["debugfs", "-R", "stat /usr/bin/busybox", disk]
    assert "User:     0" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
