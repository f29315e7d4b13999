"""Runs the guest of `guest` through the KVM API and says how far it came and what its loop cost.

The API: Documentation/virt/kvm/api.rst of the kernel; numbers and layouts: linux/kvm.h for x86-64. Says

* `api`: the version of the API;
* `refused`: a call that failed, KVM_RUN too when the processor would not enter the guest;
* `entered_s`: the CPU seconds of this process when the guest began to run;
* `stages`: what became of each instruction, empty text when it was executed;
* `native_ns` and `guest_ns`: the CPU time of one iteration of the loop;
* `loop`: why the guest did not get through it.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import signal
import struct
import time
from collections.abc import Callable
from enum import IntEnum

from isoscope.core.host.probes import guest
from isoscope.core.host.probes.report import say


class Request(IntEnum):
    """The ioctls, with the kernel's names and numbers."""

    KVM_GET_API_VERSION = 0xAE00
    KVM_CREATE_VM = 0xAE01
    KVM_GET_VCPU_MMAP_SIZE = 0xAE04
    KVM_GET_SUPPORTED_CPUID = 0xC008AE05
    KVM_CREATE_VCPU = 0xAE41
    KVM_SET_USER_MEMORY_REGION = 0x4020AE46
    KVM_SET_TSS_ADDR = 0xAE47
    KVM_RUN = 0xAE80
    KVM_GET_REGS = 0x8090AE81
    KVM_SET_REGS = 0x4090AE82
    KVM_GET_SREGS = 0x8138AE83
    KVM_SET_SREGS = 0x4138AE84
    KVM_SET_CPUID2 = 0x4008AE90
    KVM_SET_XCRS = 0x4188AEA7


KVM_EXIT_IO = 2
KVM_EXIT_SHUTDOWN = 8
KVM_EXIT_FAIL_ENTRY = 9
KVM_EXIT_INTERNAL_ERROR = 17

_EXITS = {
    0: "unknown exit, hardware reason {detail:#x}",
    1: "exception",
    5: "halt",
    6: "access to memory that is not there",
    KVM_EXIT_SHUTDOWN: "triple fault",
    KVM_EXIT_INTERNAL_ERROR: "internal error, suberror {suberror}",
}

_REGS_SIZE, _SREGS_SIZE, _SEGMENT_SIZE = 0x90, 0x138, 0x18
_CR0_AT, _CR3_AT, _CR4_AT, _EFER_AT = 0xE0, 0xF0, 0xF8, 0x108
_GDT_AT, _IDT_AT = 0xC0, 0xD0
_CPUID_ENTRIES, _CPUID_ENTRY_SIZE = 256, 40
_IMMEDIATE_EXIT_AT, _EXIT_REASON_AT, _EXIT_DATA_AT = 1, 8, 32

_CR0 = 0x80050033  #: PG AM WP NE ET MP PE
_CR4 = 0x20 | 0x200 | 0x400  #: PAE OSFXSR OSXMMEXCPT
_CR4_OSXSAVE = 0x40000
_EFER = 0x500  #: LME LMA
_CPUID_BITS = {"cmpxchg16b": 1 << 13, "xrstor": 1 << 26}  #: CPUID leaf 1, ECX: what a stage needs

_ROUNDS = 3
_ROUND_NS = 1_000_000  #: what a round of the loop should cost natively
_ROUND_LIMIT_S = 0.02  #: CPU time of a guest's round; what takes longer is interpreted, and is measured by its progress


def main(arguments: list[str]) -> None:
    """Probe the device whose path is the argument."""
    try:
        _probe(arguments[0])
    except OSError as error:
        say(refused={"call": error.filename or "", "errno": error.errno, "text": error.strerror})


def _probe(path: str) -> None:
    vcpu = _Vcpu(path)
    native_ns, iterations = _calibrate()
    guest.load(vcpu.memory, iterations)
    say(entered_s=time.process_time())
    say(stages={stage.name: vcpu.attempt(stage) for stage in vcpu.stages})
    if native_ns:
        say(native_ns=native_ns / iterations)
        vcpu.time_loop(iterations)


class _Vcpu:
    """A virtual machine with one processor, about to execute its first instruction in long mode."""

    def __init__(self, path: str) -> None:
        device = _named(path, lambda: os.open(path, os.O_RDWR | os.O_CLOEXEC))
        say(api=_ioctl(device, Request.KVM_GET_API_VERSION))
        self.memory = mmap.mmap(-1, guest.SIZE)
        vm = _ioctl(device, Request.KVM_CREATE_VM)
        _ioctl(vm, Request.KVM_SET_TSS_ADDR, 0x100000)  # Intel processors want three pages of their own
        region = struct.pack("<IIQQQ", 0, 0, 0, guest.SIZE, guest.address(self.memory))
        _ioctl(vm, Request.KVM_SET_USER_MEMORY_REGION, region)
        self._vcpu = _ioctl(vm, Request.KVM_CREATE_VCPU)
        self._run = mmap.mmap(self._vcpu, _ioctl(device, Request.KVM_GET_VCPU_MMAP_SIZE))
        features = self._set_cpuid(device)
        lacking = {name for name, bit in _CPUID_BITS.items() if not features & bit}
        self.stages = [stage for stage in guest.STAGES if stage.name not in lacking]
        self._set_mode(xsave="xrstor" not in lacking)

    def _set_cpuid(self, device: int) -> int:
        """Give the guest all that KVM supports; ECX of leaf 1 is returned."""
        table = bytearray(8 + _CPUID_ENTRIES * _CPUID_ENTRY_SIZE)
        struct.pack_into("<I", table, 0, _CPUID_ENTRIES)
        _ioctl(device, Request.KVM_GET_SUPPORTED_CPUID, table)
        _ioctl(self._vcpu, Request.KVM_SET_CPUID2, table)
        (count,) = struct.unpack_from("<I", table)
        for index in range(count):
            function, _, _, _, _, ecx = struct.unpack_from("<6I", table, 8 + index * _CPUID_ENTRY_SIZE)
            if function == 1:
                return int(ecx)
        return 0

    def _set_mode(self, *, xsave: bool) -> None:
        sregs = bytearray(_SREGS_SIZE)
        _ioctl(self._vcpu, Request.KVM_GET_SREGS, sregs)
        code = struct.pack("<QIH8B", 0, 0xFFFFFFFF, guest.CODE_SELECTOR, 11, 1, 0, 0, 1, 1, 1, 0)
        data = struct.pack("<QIH8B", 0, 0xFFFFFFFF, guest.DATA_SELECTOR, 3, 1, 0, 1, 1, 0, 1, 0)
        for index, segment in enumerate([code, *[data] * 5]):  # cs, ds, es, fs, gs, ss
            sregs[index * _SEGMENT_SIZE : index * _SEGMENT_SIZE + len(segment)] = segment
        struct.pack_into("<QH", sregs, _GDT_AT, guest.GDT, guest.GDT_LIMIT)
        struct.pack_into("<QH", sregs, _IDT_AT, guest.IDT, guest.IDT_LIMIT)
        struct.pack_into("<Q", sregs, _CR0_AT, _CR0)
        struct.pack_into("<Q", sregs, _CR3_AT, guest.PML4)
        struct.pack_into("<Q", sregs, _CR4_AT, _CR4 | (_CR4_OSXSAVE if xsave else 0))
        struct.pack_into("<Q", sregs, _EFER_AT, _EFER)
        _ioctl(self._vcpu, Request.KVM_SET_SREGS, sregs)
        if xsave:
            xcrs = bytearray(0x188)
            struct.pack_into("<IIIIQ", xcrs, 0, 1, 0, 0, 0, 3)  # XCR0: x87 and SSE
            _ioctl(self._vcpu, Request.KVM_SET_XCRS, xcrs)

    def _go_to(self, address: int) -> None:
        regs = bytearray(_REGS_SIZE)
        struct.pack_into("<Q", regs, 6 * 8, guest.STACK)
        struct.pack_into("<QQ", regs, 16 * 8, address, 0x2)  # rip, rflags
        _ioctl(self._vcpu, Request.KVM_SET_REGS, regs)

    def attempt(self, stage: guest.Stage) -> str:
        """Run a stage; why it failed, or nothing."""
        self._go_to(stage.entry)
        self._enter()
        outcome = "" if self._port() == stage.port else self._exit_text()
        self._complete_io()
        if outcome:
            return outcome
        return "" if guest.executed(self.memory, stage) else "it had no effect"

    def time_loop(self, iterations: int) -> None:
        """Say, of some rounds, the least CPU time for an iteration. A round that takes too long is cut off."""
        signal.signal(signal.SIGPROF, lambda *_: None)  # interrupts KVM_RUN
        rounds = []
        for _ in range(_ROUNDS):
            self._go_to(guest.LOOP)
            signal.setitimer(signal.ITIMER_PROF, _ROUND_LIMIT_S)
            begin = time.thread_time_ns()
            ended = self._enter()
            spent = time.thread_time_ns() - begin
            signal.setitimer(signal.ITIMER_PROF, 0)
            if ended and self._port() != guest.LOOP_PORT:
                say(loop=self._exit_text())
                return
            self._complete_io()
            left = 0 if ended else self._ecx()
            rounds.append(spent / max(1, iterations - left))
        say(guest_ns=min(rounds))

    def _enter(self) -> bool:
        """Let the guest run to its next exit; false when a signal came first."""
        try:
            _ioctl(self._vcpu, Request.KVM_RUN)
        except InterruptedError:
            return False
        if self._exit_reason() == KVM_EXIT_FAIL_ENTRY:
            raise OSError(errno.EIO, f"the guest cannot be entered, hardware reason {self._detail():#x}", "KVM_RUN")
        return True

    def _complete_io(self) -> None:
        """Registers may be set only after the kernel has ended the `out` that the guest came out with."""
        self._run[_IMMEDIATE_EXIT_AT] = 1
        self._enter()
        self._run[_IMMEDIATE_EXIT_AT] = 0

    def _ecx(self) -> int:
        regs = bytearray(_REGS_SIZE)
        _ioctl(self._vcpu, Request.KVM_GET_REGS, regs)
        return int(struct.unpack_from("<I", regs, 2 * 8)[0])

    def _exit_reason(self) -> int:
        return int(struct.unpack_from("<I", self._run, _EXIT_REASON_AT)[0])

    def _port(self) -> int | None:
        """The port that the guest wrote to; None when it came out for another reason."""
        if self._exit_reason() != KVM_EXIT_IO:
            return None
        return int(struct.unpack_from("<BBH", self._run, _EXIT_DATA_AT)[2])

    def _exit_text(self) -> str:
        reason, detail = self._exit_reason(), self._detail()
        return _EXITS.get(reason, f"exit reason {reason}").format(detail=detail, suberror=detail & 0xFFFFFFFF)

    def _detail(self) -> int:
        return int(struct.unpack_from("<Q", self._run, _EXIT_DATA_AT)[0])


def _calibrate() -> tuple[int, int]:
    """Native CPU nanoseconds of one round, and its iterations; no nanoseconds where they cannot be measured."""
    iterations = 1 << 16
    try:
        loop = guest.native_loop(iterations)
        while (spent := min(_cost_ns(loop) for _ in range(_ROUNDS))) < _ROUND_NS and iterations < 1 << 30:
            iterations *= 2
            loop = guest.native_loop(iterations)
    except OSError:  # a security module forbids executable memory
        return 0, iterations
    return spent, iterations


def _cost_ns(action: Callable[[], None]) -> int:
    begin = time.thread_time_ns()
    action()
    return time.thread_time_ns() - begin


def _ioctl(fd: int, request: Request, argument: int | bytes | bytearray = 0) -> int:
    return _named(request.name, lambda: fcntl.ioctl(fd, request, argument))


def _named(name: str, action: Callable[[], int | bytes]) -> int:
    """Do it, again when a signal came between; an OSError carries the call's name."""
    while True:
        try:
            result = action()
            return result if isinstance(result, int) else 0
        except OSError as error:
            if error.errno == errno.EINTR and name != "KVM_RUN":
                continue
            raise OSError(error.errno, error.strerror, name) from error
