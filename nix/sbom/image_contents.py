"""What an image holds, as far as a bill of materials asks: paths and distributions."""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import tarfile
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

STORE = "nix/store/"


@dataclass
class ImageContents:
    """The files of an image, from all its layers, whatever an upper one covers.

    digest: the SHA-256 of the configuration; paths: of files and links, without the
    slash at the beginning; distributions: METADATA by the folder *.dist-info, a path.
    """

    digest: str
    configuration: dict[str, Any]
    paths: set[str] = field(default_factory=set)
    distributions: dict[str, Message] = field(default_factory=dict)

    @property
    def store_paths(self) -> set[str]:
        """The names in the Nix store of which files are in the image."""
        return {
            path[len(STORE) :].partition("/")[0]
            for path in self.paths
            if path.startswith(STORE)
        }


def read_image(archive: Path) -> ImageContents:
    """Read an image archive (Docker Image Specification v1.2)."""
    with tarfile.open(archive, "r:") as outer:

        def read(name: str) -> bytes:
            content = outer.extractfile(name)
            assert content is not None
            return content.read()

        (manifest,) = json.loads(read("manifest.json"))
        configuration = read(manifest["Config"])
        digest = hashlib.sha256(configuration).hexdigest()
        contents = ImageContents(digest, json.loads(configuration))
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=outer.extractfile(name), mode="r:") as layer:
                read_layer(layer, contents)
    return contents


def read_layer(layer: tarfile.TarFile, contents: ImageContents) -> None:
    """Add what a layer holds."""
    for member in layer:
        if member.isdir():
            continue
        path = member.name.removeprefix("./")
        contents.paths.add(path)
        folder, _, file = path.rpartition("/")
        if file == "METADATA" and folder.endswith(".dist-info") and member.isfile():
            content = layer.extractfile(member)
            assert content is not None
            contents.distributions[folder] = email.message_from_bytes(
                content.read(), policy=email.policy.compat32
            )
