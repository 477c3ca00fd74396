"""Files of this machine that stand in for a mirror's, read within limits."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from transport import Fault

CHUNK = 1 << 20


def read(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes. Raises Fault as chunks does."""
    return b"".join(chunks(path, limit))


def chunks(path: Path, limit: int) -> Iterator[bytes]:
    """Yield the content of a regular file piece by piece.

    limit: the most bytes that it may have; some files, as below /proc, do not say how
        many that are, and never end.
    Raises Fault where there is none, it cannot be read, or is larger.
    """
    too_large = Fault(f"has more than {limit} bytes", other=True)
    try:
        with open_regular(path) as handle:
            if os.fstat(handle.fileno()).st_size > limit:
                raise too_large
            while True:
                chunk = handle.read(CHUNK)
                if chunk is None:
                    raise Fault("has no content yet")
                limit -= len(chunk)
                if limit < 0:
                    raise too_large
                if not chunk:
                    return
                yield chunk
    except (OSError, ValueError) as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        text = getattr(error, "strerror", None) or "is not a path"
        raise Fault(text, missing=missing) from None


def open_regular(path: Path) -> IO[bytes]:
    """Open a file for reading without buffer, if it or what it links to is regular.

    It is looked at before it is opened, as opening a device may set it in motion, and
    afterwards, as another may have taken its place; opening never waits (fifo(7)).
    Raises Fault where it is of another kind, OSError, and ValueError where the path
    has a null character.
    """
    check_kind(os.stat(path).st_mode)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    handle = open(os.open(path, flags), "rb", buffering=0)
    try:
        check_kind(os.fstat(handle.fileno()).st_mode)
    except Fault:
        handle.close()
        raise
    return handle


def check_kind(mode: int) -> None:
    """Raise Fault unless a mode (inode(7)) is that of a regular file."""
    if not stat.S_ISREG(mode):
        raise Fault("is not a regular file", other=True)
