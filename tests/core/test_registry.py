import json
import os
import subprocess
import sys

import pytest
from isoscope.core.errors import HostError, InputError, NameTaken, NotFound
from isoscope.core.registry import Owner, Registry, process_start_time


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def create(registry, name=""):
    return registry.create(name=name, variant="container", workload={}, image="sha256:0")


def test_a_record_is_on_disk_before_anything_is_made(registry):
    record = create(registry, "web")
    record.claim(cgroup="/sys/fs/cgroup/isoscope")
    found = registry.find("web")
    assert found == record
    assert found.resources == {"cgroup": "/sys/fs/cgroup/isoscope"}
    assert found.owner.alive()
    assert found.mark.startswith("isoscope-")


def test_a_name_is_given_once_and_again_after_its_holder_has_gone(registry):
    record = create(registry, "web")
    with pytest.raises(NameTaken) as caught:
        create(registry, "web")
    assert "web" in caught.value.hint
    assert len(list(registry)) == 1
    record.forget()
    record.forget()
    assert create(registry, "web").name == "web"


def test_a_name_left_behind_by_a_crash_is_taken_over(registry, tmp_path):
    record = create(registry, "web")
    (record.directory / "record.json").unlink()
    assert create(registry, "web").id != record.id


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "-x", "a b", "x" * 64, "ä", "a\n"])
def test_a_name_that_could_be_a_path_or_an_option_is_refused(registry, name):
    with pytest.raises(InputError):
        create(registry, name)
    assert list(registry) == []


def test_an_instance_is_found_by_name_id_and_beginning_of_its_id(registry):
    record = create(registry, "web")
    assert registry.find(record.id).name == "web"
    assert registry.find(record.id[:6]).name == "web"
    with pytest.raises(NotFound):
        registry.find("")
    with pytest.raises(NotFound):
        registry.find("../instances")


def test_a_record_cut_short_is_no_record(registry):
    record = create(registry, "web")
    (record.directory / "record.json").write_text('{"id": "x"')
    assert list(registry) == []
    with pytest.raises(NotFound):
        registry.find("web")


def test_sweeping_removes_only_what_is_old_and_unreadable(registry):
    keep, young, old = (create(registry, name) for name in ("keep", "young", "old"))
    for record in (young, old):
        (record.directory / "record.json").unlink()
    os.utime(old.directory, (0, 0))
    assert registry.sweep() == [f"removed unfinished record {old.id}"]
    assert young.directory.exists()
    assert registry.find("keep") == keep


def test_an_owner_is_dead_when_another_process_has_its_pid():
    owner = Owner.current()
    assert owner.alive()
    assert not Owner(owner.pid, owner.start_time + 1, owner.boot_id).alive()
    assert not Owner(owner.pid, owner.start_time, "another boot").alive()


def test_a_zombie_is_no_living_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process_start_time(process.pid) is None
    process.wait()


def test_a_record_survives_its_process_and_names_a_dead_owner(tmp_path):
    code = (
        "import os, pathlib, sys; from isoscope.core.registry import Registry\n"
        "record = Registry(pathlib.Path(sys.argv[1])).create(name='web', variant='vm', workload={}, image='x')\n"
        "record.claim(domain=record.mark); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    record = Registry(tmp_path).find("web")
    assert not record.owner.alive()
    assert record.resources == {"domain": record.mark}
    assert json.loads((record.directory / "record.json").read_text())["variant"] == "vm"


@pytest.mark.root
def test_a_record_that_finds_no_space_leaves_nothing(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "isoscope-test", tmp_path], check=True)
    try:
        (tmp_path / "filler").write_bytes(b"x" * 4096)
        with pytest.raises(HostError):
            create(Registry(tmp_path), "web")
        assert list((tmp_path / "instances").iterdir()) == []
        assert not (tmp_path / "names" / "web").is_symlink()
    finally:
        subprocess.run(["umount", tmp_path], check=True)
