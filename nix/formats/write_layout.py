"""Turns an image archive into an OCI image layout, its configuration byte for byte.

Source: OCI Image Format Specification 1.0, "Image Layout", "Manifest", "Layer". Layers
are compressed with gzip, which every runtime reads; the configuration names them by the
SHA-256 of their uncompressed bytes and so is the same in every format.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import sys
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

CHUNK = 1 << 20
LEVEL = 6
# zlib.h, deflateInit2: the largest window, with a header of gzip that has no time.
GZIP = 31

PREFIX = "application/vnd.oci.image"
MANIFEST = f"{PREFIX}.manifest.v1+json"
INDEX = f"{PREFIX}.index.v1+json"
CONFIGURATION = f"{PREFIX}.config.v1+json"
LAYER = f"{PREFIX}.layer.v1.tar+gzip"


class LayoutError(Exception):
    """The archive is none; the message is one line that says why."""


@dataclass(frozen=True)
class Part:
    """Where a file of an archive lies in it, in bytes."""

    offset: int
    size: int


@dataclass(frozen=True)
class Archive:
    """An image archive (Docker Image Specification v1.2).

    configuration: its exact bytes; layers: by their diff ids, from below.
    """

    path: Path
    configuration: bytes
    layers: Sequence[tuple[str, Part]]


def read_archive(path: Path) -> Archive:
    """Read where the layers of an archive lie. Raises LayoutError."""
    with tarfile.open(path, "r:") as archive, open(path, "rb") as content:
        members = {member.name: member for member in archive}

        def part(name: str) -> Part:
            if name not in members:
                raise LayoutError(f"{path} is no image archive: it has no {name}")
            member = members[name]
            while member.issym():
                target = f"{os.path.dirname(member.name)}/{member.linkname}"
                member = members[os.path.normpath(target)]
            return Part(member.offset_data, member.size)

        def read(name: str) -> bytes:
            found = part(name)
            content.seek(found.offset)
            return content.read(found.size)

        (manifest,) = json.loads(read("manifest.json"))
        configuration = read(manifest["Config"])
        diff_ids = json.loads(configuration)["rootfs"]["diff_ids"]
        layers = zip(diff_ids, map(part, manifest["Layers"]))
        return Archive(path, configuration, list(layers))


def encode(content: Any) -> bytes:
    """JSON, always the same bytes for the same content."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """The layout under way."""

    def __init__(self, folder: Path) -> None:
        """folder: is made, with all that a layout has."""
        self.folder = folder
        self.blobs = folder / "blobs/sha256"
        self.blobs.mkdir(parents=True)
        self.unnamed = itertools.count()
        (folder / "oci-layout").write_bytes(encode({"imageLayoutVersion": "1.0.0"}))

    def add(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Add a blob; returns its descriptor."""
        digest = hashlib.sha256(content).hexdigest()
        (self.blobs / digest).write_bytes(content)
        return descriptor(media_type, digest, len(content))

    def add_layer(self, archive: Path, part: Part) -> dict[str, Any]:
        """Add a layer of an archive, compressed; returns its descriptor."""
        compressor = zlib.compressobj(LEVEL, wbits=GZIP)
        taken = hashlib.sha256()
        # One and the same layer may be there twice, and compressed twice at once.
        unnamed = self.blobs / f"{next(self.unnamed)}.part"
        with open(archive, "rb") as source, open(unnamed, "wb") as target:

            def write(data: bytes) -> None:
                taken.update(data)
                target.write(data)

            source.seek(part.offset)
            left = part.size
            while left:
                data = source.read(min(CHUNK, left))
                if not data:
                    raise LayoutError(f"{archive} ends early")
                left -= len(data)
                write(compressor.compress(data))
            write(compressor.flush())
            size = target.tell()
        unnamed.rename(self.blobs / taken.hexdigest())
        return descriptor(LAYER, taken.hexdigest(), size)

    def copy(self, base: Path, known: Mapping[str, Any]) -> dict[str, Any]:
        """Take over a blob of another layout; returns its descriptor, `known`."""
        name = known["digest"].partition(":")[2]
        shutil.copyfile(base / "blobs/sha256" / name, self.blobs / name)
        return dict(known)


def descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    """What refers to a blob (OCI Image Format Specification, "Content Descriptors")."""
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}


def known_layers(base: Optional[Path]) -> dict[str, Any]:
    """The layers of the layout `base`: diff id to descriptor."""
    if base is None:
        return {}

    def read(file: str) -> Any:
        return json.loads((base / file).read_bytes())

    def blob(known: Mapping[str, Any]) -> Any:
        return read(f"blobs/sha256/{known['digest'].partition(':')[2]}")

    manifest = blob(read("index.json")["manifests"][0])
    diff_ids = blob(manifest["config"])["rootfs"]["diff_ids"]
    return dict(zip(diff_ids, manifest["layers"]))


def write_layout(
    archive: Archive, tag: str, folder: Path, base: Optional[Path] = None
) -> None:
    """Write the layout.

    tag: the image's name in it, such as 1.0; base: a layout whose layers need not be
    compressed once more. Raises LayoutError.
    """
    layout = Layout(folder)
    known = known_layers(base)

    def add(layer: tuple[str, Part]) -> dict[str, Any]:
        diff_id, part = layer
        if base is not None and diff_id in known:
            return layout.copy(base, known[diff_id])
        return layout.add_layer(archive.path, part)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        layers = list(pool.map(add, archive.layers))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.add(archive.configuration, CONFIGURATION),
        "layers": layers,
    }
    configuration = json.loads(archive.configuration)
    entry = {
        **layout.add(encode(manifest), MANIFEST),
        "platform": {key: configuration[key] for key in ("architecture", "os")},
        "annotations": {"org.opencontainers.image.ref.name": tag},
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    (folder / "index.json").write_bytes(encode(index))


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write the layout; returns 1 with one line on standard error where it cannot.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--tag", required=True)
    parser.add_argument("--base", type=Path)
    parser.add_argument("archive", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args(words)
    try:
        archive = read_archive(arguments.archive)
        write_layout(archive, arguments.tag, arguments.target, arguments.base)
    except (LayoutError, tarfile.ReadError, FileExistsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
