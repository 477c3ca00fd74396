"""Reads an image archive, as `docker load` takes it, without Docker."""

from __future__ import annotations

import re
import tarfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from image_archive import ImageArchive, Member

STORE_PATH = re.compile(rb"/nix/store/([0-9a-z]{32}-[0-9A-Za-z+._?=-]+)")


@dataclass(frozen=True)
class Entry:
    """A file of an image: its absolute path in the container, its tar header, and the
    number of its layer, from below."""

    path: str
    info: tarfile.TarInfo
    layer: int


@dataclass(repr=False)
class Image:
    """An image archive, read whole.

    references: of each store path, the store paths that its files name; records: the
    text of each RECORD by its path (PEP 376); libraries: of each shared library whether
    it has a table of symbols beside that of its dynamic section (elf(5), ".symtab").
    """

    path: Path
    manifest: dict[str, Any] = field(init=False)
    configuration: dict[str, Any] = field(init=False)
    entries: list[Entry] = field(init=False)
    references: dict[str, set[str]] = field(init=False)
    records: dict[str, str] = field(init=False)
    libraries: dict[str, bool] = field(init=False)

    def __post_init__(self) -> None:
        archive = ImageArchive(self.path)
        self.manifest = archive.manifest
        self.configuration = archive.configuration
        self.entries = []
        self.references = {}
        self.records = {}
        self.libraries = {}
        for member in archive.members():
            self._add(member)

    def _add(self, member: Member) -> None:
        path, info = member.path, member.info
        self.entries.append(Entry(path, info, member.layer))
        owner = store_path(path) or "/"
        found = self.references.setdefault(owner, set())
        text = info.linkname.encode()
        if info.isfile():
            text = member.read()
            if path.endswith(".dist-info/RECORD"):
                self.records[path] = text.decode()
            if ".so" in path and text.startswith(b"\x7fELF"):
                self.libraries[path] = b"\0.symtab\0" in text
        found |= {match.decode() for match in STORE_PATH.findall(text)} - {owner}

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a container starts with."""
        return dict(
            entry.split("=", 1) for entry in self.configuration["config"]["Env"]
        )

    @property
    def layers(self) -> list[str]:
        """The layers' diff ids, from below."""
        return list(self.configuration["rootfs"]["diff_ids"])

    def matching(self, wanted: Callable[[Entry], bool]) -> Iterator[Entry]:
        """The entries that a predicate holds for."""
        return (entry for entry in self.entries if wanted(entry))

    def entry(self, path: str) -> Entry:
        """The uppermost entry at a path; KeyError where there is none."""
        for entry in reversed(self.entries):
            if entry.path == path:
                return entry
        raise KeyError(path)

    def chain(self, path: str) -> str:
        """How a file comes into the image: the store paths that lead to it."""
        wanted = store_path(path)
        if wanted is None:
            return f"the image's own files > {path}"
        came: dict[str, Optional[str]] = {"/": None}
        waiting = deque(["/"])
        while waiting:
            here = waiting.popleft()
            if here == wanted:
                break
            for following in sorted(self.references.get(here, ())):
                if following not in came:
                    came[following] = here
                    waiting.append(following)
        steps = [path]
        at: Optional[str] = wanted
        while at is not None and at != "/":
            steps.append(at)
            at = came.get(at)
        steps.append("the image's own files")
        return " > ".join(reversed(steps))


def store_path(path: str) -> Optional[str]:
    """The store path's name that a file belongs to; None outside the store.

    >>> store_path("/nix/store/abc-hello/bin/hello")
    'abc-hello'
    """
    parts = path.split("/")
    if parts[1:3] == ["nix", "store"] and len(parts) > 3:
        return parts[3]
    return None
