"""What is particular to bubblewrap: its terms inside, and images that it is not given."""

from __future__ import annotations

import os
import shutil

import pytest
from isoscope.core.errors import ImageError, Unsupported

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bwrap: make peers installs it"),
]


@pytest.fixture
def box(workshop):
    return workshop("bubblewrap")


def test_it_is_confined_as_a_container_of_ours(box, workshop):
    script = (
        "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/keys; echo x >/proc/sys/kernel/hostname"
    )
    ran, ours = box.sh(script), workshop("container").sh(script)
    assert ran.out == ours.out
    assert "Seccomp:\t2" in ran.out
    assert ran.how == ours.how
    proof = ran.instance.proof()
    assert proof["runtime"].startswith("bubblewrap ")
    assert f"/isoscope/{ran.instance.record.mark}" in proof["cgroup"]
    assert os.readlink("/proc/self/ns/pid") not in proof["namespaces"]


@pytest.mark.parametrize("link", ["proc", "dev", "data"])
def test_it_never_mounts_where_a_link_of_the_image_leads(box, link, tmp_path):
    (box.layer / link).symlink_to(f"/oldroot{tmp_path}/made")
    box.backend = "bubblewrap:storage=volume"
    with pytest.raises(ImageError, match=link):
        box.create("true")
    assert not (tmp_path / "made").exists()


def test_it_never_makes_a_directory_where_a_link_of_the_image_leads(box, tmp_path):
    (box.layer / "linked").symlink_to(f"/oldroot{tmp_path}")
    with pytest.raises(ImageError, match="linked"):
        box.create("true", working_directory="/linked/made")
    assert not (tmp_path / "made").exists()
    box.layer.joinpath("real").mkdir()
    assert box.run("pwd", working_directory="/real/made").out == "/real/made\n"


def test_it_cannot_become_the_images_user(box):
    launch = box.launch("true", image={"user": "nobody"})
    with pytest.raises(Unsupported, match="nobody"):
        box.lab.backend("bubblewrap").create(launch)
    launch.record.forget()


def test_a_script_without_its_interpreter_ends_with_the_peers_own_status(box):
    (box.layer / "script").write_text("#!/isoscope-no-such-program\n")
    (box.layer / "script").chmod(0o755)
    ran = box.run("/script")
    assert (ran.how.code, ran.err) == (1, "bwrap: execvp /script: No such file or directory\n")
