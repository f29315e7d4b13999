"""The system calls that a container may make: an allow-list in the manner of Docker's default profile.

What is not on the list fails with EPERM when libseccomp knows it, and with ENOSYS when it does not, so that a C library
which tries something newer first falls back to what it did before. The same holds for clone3(2): its flags lie in
memory that a filter cannot read, and with ENOSYS a C library takes clone(2), whose flags can be checked.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from isoscope.backends.launcher import linux
from isoscope.core.errors import BackendUnavailable, HostError

_Filter = TypeVar("_Filter")

# Names of system calls, of every architecture and age; libseccomp passes over those that this one never had.
_ALLOWED = {
    "files and directories": (
        "access chdir chmod chown chown32 close close_range creat dup dup2 dup3 faccessat faccessat2 "
        "fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl "
        "fcntl64 fdatasync flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 "
        "futimesat getcwd getdents getdents64 ioctl lchown lchown32 link linkat _llseek lseek lstat lstat64 "
        "mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 readlink readlinkat "
        "rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat sync "
        "sync_file_range sync_file_range2 syncfs truncate truncate64 umask unlink unlinkat utime utimensat "
        "utimensat_time64 utimes chroot ustat fgetxattr flistxattr fremovexattr fsetxattr getxattr lgetxattr "
        "listxattr llistxattr lremovexattr lsetxattr removexattr setxattr getxattrat listxattrat "
        "removexattrat setxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch fanotify_mark "
        "cachestat"
    ),
    "reading, writing, waiting": (
        "copy_file_range pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile "
        "sendfile64 splice tee vmsplice write writev _newselect epoll_create epoll_create1 epoll_ctl "
        "epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 pipe pipe2 poll "
        "ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4 io_cancel io_destroy "
        "io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit"
    ),
    "memory": (
        "arch_prctl brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 "
        "mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
        "process_madvise process_mrelease process_vm_readv process_vm_writev remap_file_pages "
        "map_shadow_stack"
    ),
    "processes and threads": (
        "execve execveat exit exit_group fork vfork wait4 waitid waitpid getpgid getpgrp getpid getppid "
        "getsid gettid setpgid setsid set_robust_list get_robust_list set_thread_area get_thread_area "
        "set_tid_address rseq ptrace pidfd_open pidfd_send_signal modify_ldt prctl seccomp landlock_add_rule "
        "landlock_create_ruleset landlock_restrict_self restart_syscall futex futex_requeue futex_time64 "
        "futex_wait futex_waitv futex_wake capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 "
        "getgroups getgroups32 getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid "
        "setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid "
        "setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32 getcpu getpriority getrlimit "
        "getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max sched_get_priority_min "
        "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
        "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler "
        "sched_yield setpriority setrlimit ugetrlimit"
    ),
    "signals and time": (
        "kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
        "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signal sigprocmask sigreturn "
        "tgkill tkill adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
        "clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday "
        "nanosleep setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
        "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
        "timerfd_settime64 times"
    ),
    "sockets and System V and POSIX interprocess communication": (
        "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
        "recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketpair ipc "
        "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
        "mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
        "semtimedop_time64 shmat shmctl shmdt shmget"
    ),
    "the system": ("getrandom sysinfo uname"),
    "of single architectures": (
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls s390_pci_mmio_read "
        "s390_pci_mmio_write s390_runtime_instr riscv_flush_icache riscv_hwprobe swapcontext"
    ),
}

ALLOWED = tuple(name for names in _ALLOWED.values() for name in names.split())

#: personality(2) may be asked, and set to what old programs need: Linux, Linux with 3 GB or 2.6 version, queries.
_PERSONALITIES = (0x0, 0x0008, 0x20000, 0x20008, 0xFFFFFFFF)

#: Namespaces are made by us, not inside; with a user namespace a container could reach much more of the kernel.
_NAMESPACE_FLAGS = (
    linux.CLONE_NEWNS,
    linux.CLONE_NEWCGROUP,
    linux.CLONE_NEWUTS,
    linux.CLONE_NEWIPC,
    linux.CLONE_NEWUSER,
    linux.CLONE_NEWPID,
    linux.CLONE_NEWNET,
)
_AF_VSOCK = 40  # would reach the hypervisor past every network namespace
_HIGHEST_NUMBER = 1024  # no architecture's table is longer

#: What a system call fails with that no rule speaks of.
UNKNOWN = errno.ENOSYS

#: The older architectures that a processor runs, too. Not x32: distributions' kernels have it switched off, and each
#: architecture costs every start (measured: 320 µs to install the filter without x32, 380 µs with it).
_SUBARCHITECTURES = {"x86_64": ("X86",), "aarch64": ("ARM",)}


@dataclass(frozen=True)
class Rule:
    """What happens to some system calls, when their arguments compare as said: index, operator, value, second value."""

    names: tuple[str, ...]
    error: int = 0  #: the errno with which they fail; 0 lets them pass
    arguments: tuple[tuple[int, str, int, int], ...] = ()


def rules() -> list[Rule]:
    """All of it; whatever no rule speaks of fails with `UNKNOWN`. Raises ImportError when libseccomp is missing."""
    made = [Rule(tuple(filter(_has_number, ALLOWED)))]
    # Any other personality fails with ENOSYS: libseccomp has no words for "none of these".
    made += [Rule(("personality",), arguments=((0, "EQ", persona, 0),)) for persona in _PERSONALITIES]
    made.append(Rule(("clone",), arguments=((0, "MASKED_EQ", sum(_NAMESPACE_FLAGS), 0),)))
    made += [Rule(("clone",), errno.EPERM, ((0, "MASKED_EQ", flag, flag),)) for flag in _NAMESPACE_FLAGS]
    # The kernel looks at 32 bits of the family, a comparison at 64: "not equal" would let others with the same 32 pass.
    # The families above are for hardware that no container has. Both fail with ENOSYS.
    made.append(Rule(("socket",), arguments=((0, "LT", _AF_VSOCK, 0),)))
    conditional = {"clone", "clone3", "personality", "socket"}
    made.append(Rule(tuple(sorted(_known() - set(ALLOWED) - conditional)), errno.EPERM))
    return made


def required(make: Callable[[Path], _Filter], cache: Path) -> _Filter:
    """What `program` or `specification` makes. Raises BackendUnavailable or HostError in place of their errors."""
    try:
        return make(cache)
    except (ImportError, RuntimeError) as error:
        raise BackendUnavailable(f"libseccomp cannot be loaded: {error}", hint="apt install libseccomp2") from error
    except OSError as error:
        raise HostError(f"cannot keep the seccomp filter: {error.strerror}", hint="free some space") from error


def program(cache: Path) -> bytes:
    """The filter for this machine, as `struct sock_filter` one after the other; compiled once and kept below `cache`.

    Raises ImportError when libseccomp is missing and nothing is cached, OSError when the cache cannot be written.
    """
    return _kept(cache, "bpf", compile_filter)


def specification(cache: Path) -> dict[str, Any]:
    """The same as `linux.seccomp` of the OCI runtime specification (config-linux.md). Raises what `program` does."""
    specified: dict[str, Any] = json.loads(_kept(cache, "json", lambda: json.dumps(_specified()).encode()))
    return specified


def _kept(cache: Path, kind: str, make: Callable[[], bytes]) -> bytes:
    versions = f"{Path(__file__).read_bytes()!r} {platform.machine()} {_library()}"
    path = cache / f"seccomp-{hashlib.sha256(versions.encode()).hexdigest()[:16]}.{kind}"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    made = make()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, prefix="seccomp-", delete=False) as partial:
        partial.write(made)
    Path(partial.name).rename(path)
    return made


def _library() -> list[str]:
    """The file names of libseccomp, which hold its version; loading it to ask would cost more than the rest."""
    return sorted(path for where in ("/usr/lib*", "/usr/lib/*") for path in glob.glob(f"{where}/libseccomp.so.2.*"))


def compile_filter() -> bytes:
    """Compile the filter with libseccomp."""
    import pyseccomp

    unknown = pyseccomp.ERRNO(UNKNOWN)
    made = pyseccomp.SyscallFilter(unknown)
    # A binary tree instead of a list: the kernel runs the filter once for each of its calls while it is installed.
    made.set_attr(pyseccomp.Attr.CTL_OPTIMIZE, 2)
    made.set_attr(pyseccomp.Attr.ACT_BADARCH, unknown)
    for name in _SUBARCHITECTURES.get(platform.machine(), ()):
        made.add_arch(getattr(pyseccomp.Arch, name))
    for rule in rules():
        action = pyseccomp.ERRNO(rule.error) if rule.error else pyseccomp.ALLOW
        arguments = [pyseccomp.Arg(i, getattr(pyseccomp, op), one, two) for i, op, one, two in rule.arguments]
        for name in rule.names:
            made.add_rule(action, name, *arguments)
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def _specified() -> dict[str, Any]:
    machine = platform.machine()
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": UNKNOWN,
        "architectures": [f"SCMP_ARCH_{name.upper()}" for name in (machine, *_SUBARCHITECTURES.get(machine, ()))],
        "syscalls": [_specified_rule(rule) for rule in rules()],
    }


def _specified_rule(rule: Rule) -> dict[str, Any]:
    action = {"action": "SCMP_ACT_ERRNO", "errnoRet": rule.error} if rule.error else {"action": "SCMP_ACT_ALLOW"}
    arguments = [
        {"index": index, "op": f"SCMP_CMP_{operator}", "value": one, "valueTwo": two}
        for index, operator, one, two in rule.arguments
    ]
    return {"names": list(rule.names), **action, **({"args": arguments} if arguments else {})}


def _has_number(name: str) -> bool:
    """Whether libseccomp knows the system call, be it of another architecture."""
    import pyseccomp

    return int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)) != -1  # __NR_SCMP_ERROR


def _known() -> set[str]:
    """The system calls of this architecture that libseccomp has names for."""
    import pyseccomp

    names = set()
    for number in range(_HIGHEST_NUMBER):
        try:
            names.add(os.fsdecode(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, number)))
        except (OSError, ValueError):
            continue
    return names
