"""The filter of system calls, tried out from inside."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest
from isoscope.backends.container import profile
from isoscope.testing.channel import Channel

pytestmark = pytest.mark.root

PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(name, call) errno = 0, (void)(call), printf("%s %d\n", name, errno)
int main(void)
{
	char none[256] = {0};
	TRY("clone3", syscall(435, none, 0));
	TRY("no such call", syscall(9999));
	TRY("mount", syscall(SYS_mount, "a", "/", "b", 0, 0));
	TRY("io_uring_setup", syscall(425, 1, none));
	TRY("bpf", syscall(SYS_bpf, 0, none, 0));
	TRY("keyctl", syscall(SYS_keyctl, 0, 0));
	TRY("unshare", syscall(SYS_unshare, 0));
	TRY("setns", syscall(SYS_setns, -1, 0));
	TRY("clone user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
	TRY("clone nothing", syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0));
	TRY("vsock", socket(40, SOCK_STREAM, 0));
	TRY("vsock and more", syscall(SYS_socket, 0x100000028, SOCK_STREAM, 0));
	TRY("inet", socket(AF_INET, SOCK_STREAM, 0));
	TRY("personality", personality(0xffffffff));
	TRY("no randomization", personality(ADDR_NO_RANDOMIZE));
	TRY("getpid", getpid());
	return 0;
}
"""

EXPECTED = {
    "clone3": errno.ENOSYS,
    "no such call": errno.ENOSYS,
    "mount": errno.EPERM,
    "io_uring_setup": errno.EPERM,
    "bpf": errno.EPERM,
    "keyctl": errno.EPERM,
    "unshare": errno.EPERM,
    "setns": errno.EPERM,
    "clone user": errno.EPERM,
    "clone nothing": errno.EINVAL,  # the kernel's own word: the filter let it through
    "vsock": errno.ENOSYS,
    "vsock and more": errno.ENOSYS,
    "inet": 0,
    "personality": 0,
    "no randomization": errno.ENOSYS,
    "getpid": 0,
}


def compiled(directory: Path, *flags: str) -> None:
    source = directory / "try.c"
    source.write_text(PROGRAM)
    subprocess.run(["cc", "-static", *flags, "-o", directory / "try", source], check=True)
    source.unlink()


def test_what_is_allowed_denied_and_unknown(box):
    compiled(box.layer)
    answers = dict(line.rsplit(" ", 1) for line in box.run("/try").out.splitlines())
    assert {name: int(number) for name, number in answers.items()} == EXPECTED


def test_the_same_holds_for_a_second_command(box):
    compiled(box.layer)
    instance = box.start("sleep", "1000")
    with Channel() as channel:
        instance.exec(("/try",), channel.stdio).wait(60)
        answers = dict(line.rsplit(" ", 1) for line in channel.finish()[0].decode().splitlines())
    assert {name: int(number) for name, number in answers.items()} == EXPECTED


def test_it_is_compiled_once_and_kept(tmp_path, monkeypatch):
    first = profile.program(tmp_path)
    monkeypatch.setattr(profile, "compile_filter", lambda: pytest.fail("compiled again"))
    assert profile.program(tmp_path) == first
    assert len(first) % 8 == 0
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == first
    assert kept.stat().st_mode & 0o022 == 0, "others could change what is let through"


def test_a_kept_one_of_another_profile_is_not_used(tmp_path, monkeypatch):
    profile.program(tmp_path)
    monkeypatch.setattr(profile.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(profile, "compile_filter", lambda: b"another")
    assert profile.program(tmp_path) == b"another"


def test_nothing_on_the_list_makes_namespaces_loads_code_into_the_kernel_or_opens_by_handle():
    forbidden = (
        "mount umount2 pivot_root unshare setns bpf perf_event_open init_module finit_module delete_module kexec_load"
        " kexec_file_load open_by_handle_at userfaultfd io_uring_setup keyctl add_key request_key swapon reboot"
        " settimeofday acct quotactl fsopen open_tree clone3"
    )
    assert set(forbidden.split()) & set(profile.ALLOWED) == set()
    assert len(set(profile.ALLOWED)) == len(profile.ALLOWED)
