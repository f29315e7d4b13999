"""The guest that KVM is tried with: 64 KiB of memory with page tables, descriptors and a few long-mode instructions.

It runs at privilege level 0, where an emulating KVM has to interpret what a processor with virtualization executes by
itself. Each stage ends with an `out` to the port of the stage's number, which makes KVM_RUN return. Formats: Intel SDM
volume 3, sections 4.5 (paging), 3.4.5 (segment descriptors) and 6.14 (64-bit IDT).
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass

SIZE = 0x10000
PML4, PDPT, PD = 0x1000, 0x2000, 0x3000
GDT, IDT = 0x4000, 0x5000
XSAVE_AREA = 0x6000
OPERAND = 0x7000  #: what cmpxchg16b works on
TRAPS = 0x7010  #: how often the int3 handler ran
STAGES_AT, HANDLER, LOOP = 0x8000, 0x9000, 0xA000
STAGE_SPACING = 0x100
STACK = SIZE

CODE_SELECTOR, DATA_SELECTOR = 8, 16
GDT_LIMIT, IDT_LIMIT = 3 * 8 - 1, 4 * 16 - 1

LOOP_PORT = 4

_PRESENT_WRITABLE, _LARGE = 0x3, 0x80
_EXCHANGED = (0x12345678, 0x1ABCDEF0)


@dataclass(frozen=True)
class Stage:
    """An instruction at which interpreters are known to stop."""

    port: int
    name: str
    code: str

    @property
    def entry(self) -> int:
        """Where its code begins."""
        return STAGES_AT + self.port * STAGE_SPACING


STAGES = (
    Stage(
        1,
        "cmpxchg16b",
        "31c0"  # xor eax, eax
        "31d2"  # xor edx, edx
        "bb78563412"  # mov ebx, 0x12345678
        "b9f0debc1a"  # mov ecx, 0x1abcdef0
        "bf00700000"  # mov edi, OPERAND
        "480fc70f"  # cmpxchg16b [rdi]
        "e601",  # out 1, al
    ),
    Stage(
        2,
        "xrstor",
        "b803000000"  # mov eax, 3: x87 and SSE state
        "31d2"  # xor edx, edx
        "bf00600000"  # mov edi, XSAVE_AREA
        "0fae27"  # xsave [rdi]
        "0fae2f"  # xrstor [rdi]
        "e602",  # out 2, al
    ),
    Stage(
        3,
        "int3",
        "cc"  # int3
        "e603",  # out 3, al
    ),
)
_HANDLER_PROGRAM = bytes.fromhex(
    "ff042510700000"  # inc dword [TRAPS]
    "48cf"  # iretq
)
_COUNT_DOWN = bytes.fromhex(
    "ffc9"  # again: dec ecx
    "75fc"  # jnz again
)


def load(memory: mmap.mmap, iterations: int) -> None:
    """Fill the guest's memory; its loop will count `iterations` (32 bits) down in each round."""
    _put(memory, PML4, struct.pack("<Q", PDPT | _PRESENT_WRITABLE))
    _put(memory, PDPT, struct.pack("<Q", PD | _PRESENT_WRITABLE))
    _put(memory, PD, struct.pack("<Q", _PRESENT_WRITABLE | _LARGE))  # the first 2 MiB, where they are
    _put(memory, GDT, struct.pack("<QQQ", 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF))  # null, 64-bit code, data
    _put(memory, IDT + 3 * 16, struct.pack("<HHBBHQ", HANDLER, CODE_SELECTOR, 0, 0x8E, 0, 0))  # #BP, interrupt gate
    _put(memory, HANDLER, _HANDLER_PROGRAM)
    for stage in STAGES:
        _put(memory, stage.entry, bytes.fromhex(stage.code))
    loop = _move_to_ecx(iterations) + _COUNT_DOWN + bytes([0xE6, LOOP_PORT])
    _put(memory, LOOP, loop + _jump(LOOP + len(loop), LOOP))


def executed(memory: mmap.mmap, stage: Stage) -> bool:
    """Whether a stage had the effect on memory that the processor's manual promises."""
    if stage.name == "cmpxchg16b":
        return struct.unpack_from("<QQ", memory, OPERAND) == _EXCHANGED
    if stage.name == "int3":
        return struct.unpack_from("<I", memory, TRAPS) == (1,)
    return True


def native_loop(iterations: int) -> Callable[[], None]:
    """The guest's loop as a function of this process. Raises OSError where memory cannot be made executable."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    _put(code, 0, _move_to_ecx(iterations) + _COUNT_DOWN + b"\xc3")  # ret
    function = ctypes.CFUNCTYPE(None)(address(code))

    def run() -> None:
        assert not code.closed  # the mapping lives as long as whoever may call into it
        function()

    return run


def address(memory: mmap.mmap) -> int:
    """Where a mapping is in this process."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _put(memory: mmap.mmap, at: int, content: bytes) -> None:
    memory[at : at + len(content)] = content


def _move_to_ecx(value: int) -> bytes:
    return b"\xb9" + struct.pack("<I", value)


def _jump(at: int, to: int) -> bytes:
    return b"\xe9" + struct.pack("<i", to - at - 5)
