"""Images as archives: sizes, and what an edit moves."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from measurement import BenchError

CHUNK = 1 << 20


@dataclass(frozen=True)
class SavedLayer:
    """A layer in an archive: its digest, its bytes, and what gzip makes of them."""

    digest: str
    size: int
    compressed: int


@dataclass(frozen=True)
class SavedImage:
    """An image archive: its layers from below, and its configuration's bytes."""

    layers: tuple[SavedLayer, ...]
    configuration: int


def read_layer(content: IO[bytes], size: int) -> SavedLayer:
    """Hash and compress a layer. content: where it begins."""
    digest = hashlib.sha256()
    compressor = subprocess.Popen(
        ["sh", "-c", "gzip -6 -n | wc -c"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert compressor.stdin is not None and compressor.stdout is not None
    with compressor.stdin as target:
        for chunk in iter(lambda: content.read(CHUNK), b""):
            digest.update(chunk)
            target.write(chunk)
    compressed = int(compressor.stdout.read())
    compressor.stdout.close()
    if compressor.wait() != 0:
        raise BenchError("gzip could not compress a layer")
    return SavedLayer(digest.hexdigest(), size, compressed)


def read_image(path: Path) -> SavedImage:
    """Read an archive of `docker save`, or one that `docker load` reads."""
    with tarfile.open(path, "r:") as archive:
        members = {member.name: member for member in archive}

        def read(name: str) -> bytes:
            content = archive.extractfile(members[name])
            assert content is not None
            return content.read()

        (manifest,) = json.loads(read("manifest.json"))
        layers = []
        for name in manifest["Layers"]:
            content = archive.extractfile(name)
            assert content is not None
            layers.append(read_layer(content, archive.getmember(name).size))
        return SavedImage(tuple(layers), members[manifest["Config"]].size)


def name_of(path: Path) -> str:
    """The name that `docker load` gives to the image of an archive."""
    with tarfile.open(path, "r:") as archive:
        content = archive.extractfile("manifest.json")
        assert content is not None
        (manifest,) = json.load(content)
    return str(manifest["RepoTags"][0])


def manifest_size(image: SavedImage) -> int:
    """The bytes of the image's manifest in a registry (OCI Image Manifest)."""
    digest = "sha256:" + 64 * "0"
    layers = [
        {
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": digest,
            "size": layer.compressed,
        }
        for layer in image.layers
    ]
    configuration = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": digest,
        "size": image.configuration,
    }
    manifest = {"schemaVersion": 2, "config": configuration, "layers": layers}
    return len(json.dumps(manifest))


def moved(before: SavedImage, after: SavedImage) -> tuple[int, int]:
    """The bytes that an edit moves: as a daemon stores them, and as a registry is sent.

    Stored are new layers as they are and the configuration; sent are new layers, the
    way gzip compresses them, the configuration and the manifest.
    """
    held = {layer.digest for layer in before.layers}
    new = [layer for layer in after.layers if layer.digest not in held]
    stored = sum(layer.size for layer in new) + after.configuration
    sent = sum(layer.compressed for layer in new)
    return stored, sent + after.configuration + manifest_size(after)


def raw(image: SavedImage) -> int:
    """The bytes of all layers."""
    return sum(layer.size for layer in image.layers)


def gzipped(image: SavedImage) -> int:
    """The bytes of all layers, each compressed with gzip."""
    return sum(layer.compressed for layer in image.layers)


def zstandard(path: Path) -> int:
    """The bytes of the whole archive, compressed with zstd at its usual level."""
    done = subprocess.run(
        ["sh", "-c", 'zstd -q -3 -c < "$0" | wc -c', str(path)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return int(done.stdout)
