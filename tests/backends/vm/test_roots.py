"""The directory of libvirt's embedded driver goes with its process, however that ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from isoscope.backends.vm import hypervisor, roots
from isoscope.core import Lab, Workload
from isoscope.core.errors import BackendUnavailable

pytestmark = [pytest.mark.root, pytest.mark.vm]

PATIENCE = 120
SCRIPT = Path(sys.executable).with_name("isoscope")

#: A process with a VM that runs. It says where its directory is, and ends in one of several ways.
PROGRAM = """
import sys
from isoscope.backends.vm import roots
from isoscope.core import Lab, Workload

lab = Lab()
instance = lab.start(Workload(command=("sleep", "infinity")), "vm")
print(roots.path(), flush=True)
assert (roots.path() / "run/qemu").is_dir()
{end}
"""

ENDS = {
    "everything is deleted and closed": "instance.delete(); lab.close()",
    "the lab is closed while a VM runs": "lab.close()",
    "nothing is closed": "sys.exit(3)",
    "an exception": "raise RuntimeError('on purpose')",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_nothing_of_it_is_left_when_a_process_ends(end: str, lab: Lab) -> None:
    lab.images.rootfs("base")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(end=end)], capture_output=True, text=True, timeout=PATIENCE
    )
    root = Path(done.stdout.strip())
    assert root.parent == roots.parent(), done.stderr
    assert not root.exists()
    assert ("on purpose" in done.stderr) == ("on purpose" in end)
    lab.gc()  # the records of instances that nobody deleted


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_it_is_left_after_a_signal_and_gc(signal_number: int, lab: Lab) -> None:
    """SIGTERM leaves nothing to do for `gc`; no process can do anything about SIGKILL."""
    command = ["run", "--rm", "-b", "vm", "--", "sh", "-c", "echo ready; exec sleep infinity"]
    with subprocess.Popen([SCRIPT, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        (root,) = roots.parent().glob(f"{child.pid}-*")
        child.send_signal(signal_number)
        child.wait(PATIENCE)
    assert root.exists() == (signal_number == signal.SIGKILL)
    lines = lab.gc()
    assert not root.exists()
    assert any(str(root) in line for line in lines) == (signal_number == signal.SIGKILL)


def test_it_does_not_come_back_after_the_last_user(stocked_home: Path) -> None:
    """libvirt writes a domain's state once more when it finds that QEMU has ended, on a thread of its own."""
    with Lab(stocked_home) as lab, lab.start(Workload(command=("true",)), "vm") as instance:
        instance.wait(PATIENCE)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert not roots.path().exists()
        time.sleep(0.02)


def test_what_cannot_be_opened_leaves_nothing(stocked_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(uri: str, root: Path) -> None:
        raise BackendUnavailable("no", hint="on purpose")

    fresh = hypervisor._Embedded()
    monkeypatch.setattr(hypervisor, "_open", fails)
    (stocked_home / "cache" / "libvirt").mkdir(parents=True, exist_ok=True)
    with pytest.raises(BackendUnavailable):
        fresh.acquire(stocked_home / "cache" / "libvirt")
    assert not roots.path().exists()
