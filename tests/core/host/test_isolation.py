"""Namespaces, overlayfs, seccomp and links: what failures mean, and what this host can do."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from isoscope.core.host import Host, isolation, networking
from isoscope.core.host.child import Answer, ask
from isoscope.core.host.outcome import feature


def failure(number: int, call: str = "unshare") -> dict[str, object]:
    return {"call": call, "errno": number, "text": os.strerror(number)}


DENIED = Answer({"unshare": None, "map": failure(errno.EPERM, "/proc/self/uid_map")})


def test_a_feature_whose_steps_were_all_done() -> None:
    assert feature(Answer({"a": None, "b": None}), "a", "b").available


def test_a_feature_is_told_by_the_first_step_that_failed() -> None:
    found = feature(Answer({"a": failure(errno.EPERM), "b": failure(errno.EINVAL)}), "a", "b")
    assert (found.available, found.reason) == (False, "unshare: Operation not permitted (EPERM)")
    assert found.remedy == "run as root"


def test_a_step_that_was_never_reached_is_not_available() -> None:
    assert feature(Answer({"a": None}, "no answer before the deadline", late=True), "a", "b").reason == (
        "b: no answer before the deadline"
    )
    assert not feature(Answer(), "a").available


def test_a_remedy_by_errno() -> None:
    assert (
        feature(Answer({"a": failure(errno.ENODEV)}), "a", remedies={errno.ENODEV: "modprobe x"}).remedy == "modprobe x"
    )


def test_apparmor_withholds_user_namespaces_and_the_safe_remedy_comes_first(tree) -> None:
    found = isolation.judge_user(DENIED, tree({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}))
    assert "AppArmor" in found.reason
    assert "uid_map" in found.reason
    profile, sysctl = found.remedy.index("apparmor_parser"), found.remedy.index("sysctl -w")
    assert profile < sysctl
    assert found.remedy.startswith("run as root")


def test_apparmor_is_not_blamed_when_it_allows(tree) -> None:
    root = tree({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0\n"})
    assert "AppArmor" not in isolation.judge_user(DENIED, root).reason


def test_a_user_namespace_that_works_needs_no_explanation(tree) -> None:
    done = Answer({"unshare": None, "map": None, "use": None})
    assert isolation.judge_user(done, tree({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"})).available


@pytest.mark.parametrize(
    ("answer", "files", "remedy"),
    [
        (Answer({"unshare": failure(errno.ENOSPC)}), {}, "user.max_user_namespaces"),
        (Answer({"unshare": failure(errno.EPERM)}), {"user/max_user_namespaces": "0"}, "user.max_user_namespaces"),
        (
            Answer({"unshare": failure(errno.EPERM)}),
            {"kernel/unprivileged_userns_clone": "0"},
            "unprivileged_userns_clone=1",
        ),
        (Answer({"unshare": failure(errno.EPERM)}), {}, "run as root"),
    ],
)
def test_what_else_forbids_user_namespaces(tree, answer: Answer, files: dict[str, str], remedy: str) -> None:
    found = isolation.judge_user(answer, tree({"x/": ""} | {f"proc/sys/{k}": v for k, v in files.items()}))
    assert not found.available
    assert remedy in found.remedy


# On this host


@pytest.mark.parametrize("kind", isolation.NAMESPACES)
def test_namespaces_agree_with_unshare(home: Path, kind: str) -> None:
    option = {"mnt": "--mount"}.get(kind, f"--{kind}")
    user = [] if os.geteuid() == 0 or kind == "user" else ["--user"]
    fork = ["--fork"] if kind in ("pid", "time") else []
    done = subprocess.run(["unshare", *user, *fork, option, "true"], capture_output=True)
    assert Host(home).namespaces[kind].available == (done.returncode == 0)


def test_user_namespaces_agree_with_unshare(home: Path) -> None:
    command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/proc"]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True)
    assert Host(home).user_namespaces.available == (done.returncode == 0)


def test_the_unprivileged_are_tried_without_privileges() -> None:
    assert ask("user", deadline_s=5).said["user"] != 0


@pytest.mark.root
def test_overlayfs_works_on_a_tmpfs_or_disk(home: Path) -> None:
    found = Host(home).overlayfs
    has_it = "\toverlay\n" in Path("/proc/filesystems").read_text()
    assert found.privileged.available == has_it, found
    assert os.listdir(home / "cache") == []


@pytest.mark.root
def test_a_state_directory_on_an_overlay_cannot_hold_another(home: Path, tmp_path: Path) -> None:
    """Try it where a container that keeps its state inside itself would."""
    script = (
        "set -e; cd $1; mkdir lower upper work merged\n"
        "mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged\n"
        'exec "$2" -c "import sys; from pathlib import Path; from isoscope.core.host import Host\n'
        "found = Host(Path(sys.argv[1])).overlayfs.privileged\n"
        'print(found.available, found.remedy)" $1/merged\n'
    )
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.startswith("False set ISOSCOPE_HOME to a directory on ext4"), done.stderr


def test_a_state_directory_that_cannot_be_written_is_a_reason(tree) -> None:
    found = isolation.overlayfs(tree({"file": ""}) / "file")
    assert "cannot be written" in found.privileged.reason
    assert "ISOSCOPE_HOME" in found.privileged.remedy


def test_seccomp_agrees_with_what_the_kernel_lists(home: Path) -> None:
    actions = Path("/proc/sys/kernel/seccomp/actions_avail")
    assert Host(home).seccomp.available == (actions.exists() and "errno" in actions.read_text().split())


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("bridge", "ip link add isoscope-br type bridge"),
        ("veth", "ip link add isoscope-a type veth peer name isoscope-b"),
        ("tap", "ip tuntap add dev isoscope-tap mode tap"),
        (
            "nat",
            "nft -f - <<'.'\ntable ip t { chain c { type nat hook postrouting priority 100; masquerade; }; }\n.\n",
        ),
    ],
)
def test_links_agree_with_the_tools(home: Path, name: str, command: str) -> None:
    done = subprocess.run(["unshare", "--net", "sh", "-ec", command], capture_output=True)
    assert getattr(Host(home).networking, name).available == (done.returncode == 0), done.stderr


def test_a_missing_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"namespace": None, "netlink": None, "veth": None, "tap": None}
    said |= {"bridge": failure(errno.EOPNOTSUPP), "nat": failure(errno.ENOENT)}
    monkeypatch.setattr(networking, "ask", lambda *_, **__: Answer(said))
    found = networking.probe()
    assert found.bridge.remedy == "modprobe -a bridge"
    assert found.nat.remedy == "modprobe -a nf_tables nft_masq"
    assert found.veth.available
