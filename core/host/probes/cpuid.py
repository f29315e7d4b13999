"""Says `signature`: what the processor answers to CPUID leaf 0x40000000, where hypervisors write whose they are.

Sources: the kernel's Documentation/virt/kvm/x86/cpuid.rst; QEMU's answer is in target/i386/cpu.c (`tcg-cpuid`).
"""

from __future__ import annotations

import ctypes
import mmap

from isoscope.core.host.probes.report import say

#: void f(uint32_t signature[3]): ebx, ecx and edx of that leaf. rbx is the caller's.
_CODE = bytes.fromhex(
    "53"  # push rbx
    "b800000040"  # mov eax, 0x40000000
    "0fa2"  # cpuid
    "891f"  # mov [rdi], ebx
    "894f04"  # mov [rdi + 4], ecx
    "895708"  # mov [rdi + 8], edx
    "5b"  # pop rbx
    "c3"  # ret
)
_LENGTH = 12


def main(_: list[str]) -> None:
    """Run the instruction. Raises OSError where memory may not be executed."""
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(_CODE)
    signature = ctypes.create_string_buffer(_LENGTH)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    function(ctypes.addressof(signature))
    say(signature=signature.raw.rstrip(b"\0").decode("ascii", "replace"))
