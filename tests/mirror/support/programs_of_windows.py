"""Programs of Windows made by hand."""

from __future__ import annotations

import struct


def executable(wide: bool = True, directories: int = 16, clr: int = 0) -> bytes:
    """The head of a PE file; clr: the address of a .NET header."""
    magic, fields = (0x20B, 112) if wide else (0x10B, 96)
    table = [struct.pack("<II", 0x1000, 0x10) for _ in range(directories)]
    if directories > 14:
        table[14] = struct.pack("<II", clr, clr and 72)
    optional = struct.pack("<H", magic).ljust(fields - 4, b"\0")
    optional += struct.pack("<I", directories) + b"".join(table)
    dos = (b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)).ljust(0x80, b"\0")
    return dos + b"PE\0\0" + bytes(20) + optional
