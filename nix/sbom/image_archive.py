"""Reads image archives, as `docker load` takes them, without Docker.

The one place that knows how members are named: `./nix/store/…` by the mirror set's
dockerTools, `/nix/store/…` by nixpkgs', `nix/store/…` by others.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Member:
    """A member of a layer.

    path: absolute, in the container, without a slash at its end; layer: its number, from
    below; info: its tar header; read: returns the content of a file.
    """

    path: str
    layer: int
    info: tarfile.TarInfo
    read: Callable[[], bytes]


def normalized(name: str) -> str:
    """Return the absolute path in the container that a layer's member stands for.

    >>> [normalized(name) for name in ("./nix/store/", "/nix/store", "nix/store", ".")]
    ['/nix/store', '/nix/store', '/nix/store', '/']
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return "/" + "/".join(parts)


@dataclass(repr=False)
class ImageArchive:
    """An image archive (Docker Image Specification v1.2).

    manifest: its only one; configuration: the image's; digest: the configuration's
    SHA-256, hexadecimal, which is the image's identity.
    """

    path: Path
    manifest: dict[str, Any] = field(init=False)
    configuration: dict[str, Any] = field(init=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        with tarfile.open(self.path, "r:") as archive:
            (self.manifest,) = json.loads(content_of(archive, "manifest.json"))
            configuration = content_of(archive, self.manifest["Config"])
        self.digest = hashlib.sha256(configuration).hexdigest()
        self.configuration = json.loads(configuration)

    def members(self) -> Iterator[Member]:
        """Yield the members of all layers, the lowest layer first.

        A member's content can be read until the next one is asked for.
        """
        with tarfile.open(self.path, "r:") as archive:
            for number, name in enumerate(self.manifest["Layers"]):
                with tarfile.open(
                    fileobj=archive.extractfile(name), mode="r:"
                ) as layer:
                    for info in layer:
                        yield member_of(layer, info, number)


def member_of(layer: tarfile.TarFile, info: tarfile.TarInfo, number: int) -> Member:
    """Return a member of an open layer."""

    def read() -> bytes:
        content = layer.extractfile(info)
        assert content is not None, info.name
        return content.read()

    return Member(normalized(info.name), number, info, read)


def content_of(archive: tarfile.TarFile, name: str) -> bytes:
    """Return the content of a file in an archive."""
    content = archive.extractfile(name)
    assert content is not None, name
    return content.read()
