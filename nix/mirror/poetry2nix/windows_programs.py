"""Programs of Windows by their content ("PE Format", Microsoft's specification)."""

from __future__ import annotations

import struct

# The offset at which an MS-DOS header has that of the signature.
SIGNATURE_OFFSET = 0x3C
SIGNATURE = b"PE\0\0"
FILE_HEADER_SIZE = 20
# By the optional header's magic number, PE32 or PE32+: where its data directories begin.
DIRECTORIES = {0x10B: 96, 0x20B: 112}
# The number of the directory that a .NET assembly has: "CLR Runtime Header".
CLR_RUNTIME_HEADER = 14


def is_windows_program(content: bytes) -> bool:
    """Whether a file's content runs on Windows alone.

    A .NET assembly does not: Mono and .NET run it on Linux.
    """
    try:
        if content[:2] != b"MZ":
            return False
        (start,) = struct.unpack_from("<I", content, SIGNATURE_OFFSET)
        if content[start : start + len(SIGNATURE)] != SIGNATURE:
            return False
        optional = start + len(SIGNATURE) + FILE_HEADER_SIZE
        (magic,) = struct.unpack_from("<H", content, optional)
        directories = optional + DIRECTORIES[magic]
        (count,) = struct.unpack_from("<I", content, directories - 4)
        if count <= CLR_RUNTIME_HEADER:
            return True
        entry = directories + 8 * CLR_RUNTIME_HEADER
        return struct.unpack_from("<II", content, entry) == (0, 0)
    except (KeyError, struct.error):
        return False
