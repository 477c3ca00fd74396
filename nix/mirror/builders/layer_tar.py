"""The tar of store paths that makes a layer, the same bytes at any time on any machine.

Everything is owned by root and has the store's time, names are sorted. Format: GNU tar,
as Python's tarfile writes it (tar(5), "GNU tar Archives").
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from image_error import ImageError

BLOCK = 512
CHUNK = 1 << 20
STORE_MTIME = 1
FOLDERS = ("nix/", "nix/store/")

# Fields of a tar header (tar(5), "GNU tar Archives"): longest name and largest size in
# it, owner and group, and what stands after the name of a link.
NAME_BYTES = 100
OCTAL_BYTES = 0o77777777777
ROOT = 2 * b"0000000\0"
MAGIC = b"ustar  \0" + bytes(247)
MAGIC_SUM = sum(MAGIC)


class Measure(NamedTuple):
    """How much a store path holds.

    content: the bytes of its files and links. Folders do not count: how large they are
    differs between file systems. tar: the bytes of its entries in a tar; entries: how
    many these are.
    """

    content: int
    tar: int
    entries: int


def entries(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """A path and all below it, sorted, each with its status; links not followed."""
    pending = [path]
    while pending:
        path = pending.pop()
        status = os.lstat(path)
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            names = sorted(os.listdir(path), reverse=True)
            pending += [f"{path}/{name}" for name in names]


def header(name: str, mode: int, kind: bytes, length: int = 0, link: str = "") -> bytes:
    """The header of an entry in a layer: owned by root, at the store's time.

    name: relative, of a folder with a slash at its end; kind: a type of tarfile's;
    length: the bytes of a file; link: what a symbolic link says. The same bytes as
    tarfile's in GNU format, which takes several times as long: an image has thousands.
    """
    if length > OCTAL_BYTES:
        entry = tarfile.TarInfo(name)
        entry.mode, entry.type, entry.size = mode, kind, length
        entry.mtime, entry.linkname = STORE_MTIME, link
        return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    place, target = (text.encode("utf-8", "surrogateescape") for text in (name, link))
    before = b""
    if len(target) > NAME_BYTES:
        before += long_text(target, tarfile.GNUTYPE_LONGLINK)
        target = target[:NAME_BYTES]
    if len(place) > NAME_BYTES:
        before += long_text(place, tarfile.GNUTYPE_LONGNAME)
        place = place[:NAME_BYTES]
    return before + block(place, mode, length, STORE_MTIME, kind, target)


def long_text(text: bytes, kind: bytes) -> bytes:
    """What stands before a header that a name is too long for."""
    length = len(text) + 1
    padded = text.ljust(whole_blocks(length), b"\0")
    return block(b"././@LongLink", 0, length, 0, kind, b"") + padded


def block(
    place: bytes, mode: int, length: int, mtime: int, kind: bytes, target: bytes
) -> bytes:
    """The one block of a header whose fields are long enough; see header."""
    numbers = b"%07o\0%s%011o\0%011o\0" % (mode, ROOT, length, mtime)
    # The checksum counts its own field as spaces.
    checksum = sum(place) + sum(numbers) + sum(kind) + sum(target) + MAGIC_SUM + 8 * 32
    return b"%s%s%06o\0 %s%s%s" % (
        place.ljust(NAME_BYTES, b"\0"),
        numbers,
        checksum,
        kind,
        target.ljust(NAME_BYTES, b"\0"),
        MAGIC,
    )


def header_of(file: str, status: os.stat_result) -> bytes:
    """The header of what lies at an absolute path."""
    name = file.lstrip("/")
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        return header(f"{name}/", mode & 0o7777, tarfile.DIRTYPE)
    if stat.S_ISLNK(mode):
        return header(name, 0o777, tarfile.SYMTYPE, link=os.readlink(file))
    return header(name, mode & 0o7777, tarfile.REGTYPE, status.st_size)


def whole_blocks(length: int) -> int:
    """The bytes of the blocks that so many bytes take."""
    return -(-length // BLOCK) * BLOCK


def header_size(place: int, target: int = 0) -> int:
    """The bytes of a header; place, target: those of its name and of a link's text."""
    size = BLOCK
    for length in (place, target):
        if length > NAME_BYTES:
            size += BLOCK + whole_blocks(length + 1)
    return size


def measure(path: str) -> Measure:
    """How much a store path holds."""
    content = tar = count = 0
    for file, status in entries(path):
        count += 1
        place = len(file.lstrip("/").encode("utf-8", "surrogateescape"))
        mode, length = status.st_mode, status.st_size
        if stat.S_ISDIR(mode):
            tar += header_size(place + 1)
        elif stat.S_ISLNK(mode):
            target = len(os.readlink(file).encode("utf-8", "surrogateescape"))
            tar += header_size(place, target)
            content += target
        else:
            tar += header_size(place) + whole_blocks(length)
            content += length
    return Measure(content, tar, count)


def layer_size(measures: Iterable[Measure]) -> int:
    """The bytes of the layer that holds store paths of these measures."""
    held = BLOCK * len(FOLDERS) + sum(each.tar for each in measures) + 2 * BLOCK
    return -(-held // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


class Buffer:
    """Collects what is small, and passes it on some CHUNK bytes at once."""

    def __init__(self, write: Callable[[Any], object]) -> None:
        """write: takes all of the bytes that it is given, and keeps none."""
        self._write = write
        self._bytes = memoryview(bytearray(CHUNK))
        self._used = 0
        self.count = 0

    def add(self, data: bytes) -> None:
        """Add bytes, a chunk at most."""
        end = self._used + len(data)
        if end > CHUNK:
            self.flush()
            end = len(data)
        self._bytes[self._used : end] = data
        self._used = end

    def add_file(self, file: str, length: int) -> None:
        """Add what a file holds. Raises ImageError where it is not as long as it was."""
        left = length
        content = os.open(file, os.O_RDONLY)
        try:
            while left:
                if self._used == CHUNK:
                    self.flush()
                end = min(self._used + left, CHUNK)
                count = os.readv(content, [self._bytes[self._used : end]])
                if not count:
                    raise ImageError(f"{file} became shorter while it was read")
                self._used += count
                left -= count
        finally:
            os.close(content)

    def flush(self) -> None:
        """Pass on what is collected."""
        self._write(self._bytes[: self._used])
        self.count += self._used
        self._used = 0


def write_store_layer(write: Callable[[Any], object], paths: Sequence[str]) -> None:
    """Write a tar of store paths.

    write: is given the bytes, in pieces of CHUNK at most that it must not keep.
    Raises ImageError where a file is not as long as it was.
    """
    buffer = Buffer(write)
    for folder in FOLDERS:
        buffer.add(header(folder, 0o755, tarfile.DIRTYPE))
    for path in paths:
        for file, status in entries(path):
            buffer.add(header_of(file, status))
            if stat.S_ISREG(status.st_mode):
                buffer.add_file(file, status.st_size)
                buffer.add(bytes(-status.st_size % BLOCK))
    buffer.add(bytes(2 * BLOCK))
    buffer.flush()
    buffer.add(bytes(-buffer.count % tarfile.RECORDSIZE))
    buffer.flush()
