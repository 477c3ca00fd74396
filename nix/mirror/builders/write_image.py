"""Writes a layered image as an archive for `docker load`, in one pass over the files.

Format: Docker Image Specification v1.2. The archive is an uncompressed tar of layers,
each a tar named by its SHA-256, the image's configuration and manifest.json. How large
a layer will be is known before it is written, so that layers are written side by side;
a layer's name stands before its content, and is written last.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Optional

from image_error import ImageError
from layer_choice import comment_on, group, in_order, read_closures
from layer_tar import (
    BLOCK,
    CHUNK,
    STORE_MTIME,
    layer_size,
    measure,
    write_store_layer,
)
from parallel import cores, in_processes

# What opening a file costs, in bytes that are written in that time.
ENTRY_WEIGHT = 16 << 10


class Layer(NamedTuple):
    """A layer in the archive.

    digest: its SHA-256, hexadecimal; comment: what the image's history says of it;
    size: its bytes.
    """

    digest: str
    comment: str
    size: int = 0

    @property
    def name(self) -> str:
        """The layer's name in the archive."""
        return f"{self.digest}/layer.tar"


class Source(NamedTuple):
    """Where a layer's bytes come from.

    comment: what the image's history says of it; size: how many bytes there will be;
    entries: how many files they are read from; write: passes the bytes to the function
    that it is given; paths: the store paths, if it is made of some.
    """

    comment: str
    size: int
    entries: int
    write: Callable[[Callable[[Any], object]], None]
    paths: Sequence[str] = ()

    def take(self, write: Callable[[int, Any], object]) -> str:
        """Pass the bytes to `write`; returns their SHA-256, hexadecimal.

        write: is given how many bytes came before, and bytes. Raises ImageError where
        there are not as many as there should be.
        """
        digest = hashlib.sha256()
        count = 0

        def pass_on(data: Any) -> None:
            nonlocal count
            digest.update(data)
            write(count, data)
            count += len(data)

        self.write(pass_on)
        if count != self.size:
            raise ImageError(f"{self.comment} changed while it was read")
        return digest.hexdigest()


def digests(
    sources: Sequence[Source], write: Callable[[int, int, Any], object], jobs: int
) -> list[Layer]:
    """Take the bytes of layers, in up to `jobs` processes at once; returns the layers.

    write: is given a layer's number, how many of its bytes came before, and bytes.
    """

    def take(number: int) -> str:
        return sources[number].take(partial(write, number))

    weights = [source.size + ENTRY_WEIGHT * source.entries for source in sources]
    taken = in_processes(take, weights, jobs)
    return [
        Layer(digest, source.comment, source.size)
        for digest, source in zip(taken, sources)
    ]


def write_at(file: int, offset: int, data: Any) -> None:
    """Write all of the data at a place in a file."""
    left = memoryview(data)
    while left:
        count = os.pwrite(file, left, offset)
        left = left[count:]
        offset += count


class ArchiveStream:
    """The archive under way, on any file, a pipe as well."""

    def __init__(self, target: BinaryIO) -> None:
        """target: a file, written from where it is."""
        self.target = target

    def _header(self, name: str, length: int) -> bytes:
        entry = tarfile.TarInfo(name)
        entry.size = length
        entry.mtime = STORE_MTIME
        return entry.tobuf(tarfile.GNU_FORMAT)

    def _pad(self, length: int) -> None:
        self.target.write(b"\0" * (-length % BLOCK))

    def add(self, name: str, content: bytes) -> None:
        """Add a small file."""
        self.target.write(self._header(name, len(content)))
        self.target.write(content)
        self._pad(len(content))

    def finish(self, name: str, configuration: bytes, layers: Iterable[Layer]) -> None:
        """Add what describes the image, and end the archive with two empty blocks.

        name: NAME:TAG; configuration: the bytes whose SHA-256 is the image's identity.
        """
        file = f"{hashlib.sha256(configuration).hexdigest()}.json"
        self.add(file, configuration)
        manifest = [
            {
                "Config": file,
                "RepoTags": [name],
                "Layers": [layer.name for layer in layers],
            }
        ]
        self.add("manifest.json", json.dumps(manifest, sort_keys=True).encode())
        self.target.write(b"\0" * (2 * BLOCK))
        self.target.flush()


class ImageArchive(ArchiveStream):
    """The archive under way, in a seekable file that is written from its start."""

    def add_layers(self, sources: Sequence[Source], jobs: int) -> list[Layer]:
        """Add layers, written by up to `jobs` processes. Raises ImageError."""
        headers = []
        end = self.target.tell()
        for source in sources:
            headers.append(end)
            end += BLOCK + source.size + -source.size % BLOCK
        self.target.flush()
        file = self.target.fileno()
        os.ftruncate(file, end)

        def write(number: int, count: int, data: Any) -> None:
            write_at(file, headers[number] + BLOCK + count, data)

        layers = digests(sources, write, jobs)
        for place, layer in zip(headers, layers):
            write_at(file, place, self._header(layer.name, layer.size))
        self.target.seek(end)
        return layers

    def copy(self, layer: Layer, source: BinaryIO, offset: int, length: int) -> None:
        """Add a layer from another archive as it is."""
        self.target.write(self._header(layer.name, length))
        self.target.flush()
        end = offset + length
        with contextlib.suppress(OSError):
            while offset < end:
                done = os.copy_file_range(
                    source.fileno(), self.target.fileno(), end - offset, offset
                )
                if not done:
                    break
                offset += done
        self.target.seek(0, os.SEEK_END)
        # Where the kernel or the file system cannot copy by itself.
        source.seek(offset)
        while offset < end:
            data = source.read(min(CHUNK, end - offset))
            if not data:
                raise ImageError(f"{layer.name} of the base image ends early")
            offset += self.target.write(data)
        self._pad(length)


def read_base(path: Path) -> tuple[list[tuple[Layer, int]], dict[str, Any]]:
    """The layers of the image archive at `path`, each with where its bytes begin.

    Returns them and that image's configuration. Raises ImageError.
    """
    with tarfile.open(path, "r:") as base, open(path, "rb") as content:
        members = {member.name: member for member in base}

        def read(name: str) -> Any:
            member = members[name]
            content.seek(member.offset_data)
            return json.loads(content.read(member.size))

        if "manifest.json" not in members:
            raise ImageError(f"{path} is no image archive: it has no manifest.json")
        (manifest,) = read("manifest.json")
        configuration = read(manifest["Config"])
        layers = []
        digests = configuration["rootfs"]["diff_ids"]
        comments = [
            step.get("comment") or step.get("created_by", "")
            for step in configuration.get("history", [])
            if not step.get("empty_layer")
        ]
        if len(comments) != len(digests):
            comments = [""] * len(digests)
        for name, digest, comment in zip(manifest["Layers"], digests, comments):
            member = members[name]
            while member.issym():
                member = members[
                    os.path.normpath(
                        f"{os.path.dirname(member.name)}/{member.linkname}"
                    )
                ]
            layer = Layer(digest.partition(":")[2], comment, member.size)
            layers.append((layer, member.offset_data))
    return layers, configuration


def copy_base(archive: ImageArchive, path: Path) -> tuple[list[Layer], dict[str, Any]]:
    """Take over the layers of the image archive at `path`.

    Returns them and that image's configuration. Raises ImageError.
    """
    layers, configuration = read_base(path)
    with open(path, "rb") as content:
        for layer, offset in layers:
            archive.copy(layer, content, offset, layer.size)
    return [layer for layer, _ in layers], configuration


def over_base(config: dict[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """An image's `config` on its base's: of the base only the environment is kept."""
    variables = {}
    below = (base.get("config") or {}).get("Env") or []
    for entry in [*below, *(config.get("Env") or [])]:
        variables[entry.partition("=")[0]] = entry
    return {**config, "Env": list(variables.values())} if variables else config


def timestamp(text: str) -> str:
    """A time in ISO 8601, in the one form that images have (RFC 3339).

    >>> timestamp("1970-01-01T00:00:01Z")
    '1970-01-01T00:00:01+00:00'
    """
    return datetime.fromisoformat(text.replace("Z", "+00:00")).isoformat()


def pass_file(write: Callable[[Any], object], path: Path) -> None:
    """Pass what a file holds to `write`, piece by piece."""
    with open(path, "rb", buffering=0) as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            write(chunk)


def own_sources(arguments: argparse.Namespace, below: int) -> list[Source]:
    """The layers that the image has above its base: store paths, then its own files.

    below: how many layers the base image has. Raises ImageError where no room is left.
    """
    paths = in_order(read_closures(arguments.closure), arguments.without)
    left = arguments.max_layers - below - 1
    if left < bool(paths):
        raise ImageError(
            f"the base image's {below} layers leave no room below"
            f" {arguments.max_layers}: raise maxLayers"
        )
    measures = {path: measure(path) for path in paths}
    sizes = {path: measures[path].content for path in paths}
    sources = []
    for members in group(paths, sizes, left):
        held = [measures[path] for path in members]
        sources.append(
            Source(
                comment_on(members),
                layer_size(held),
                sum(each.entries for each in held),
                partial(write_store_layer, paths=members),
                members,
            )
        )
    files = arguments.customisation_layer
    write = partial(pass_file, path=files)
    return [*sources, Source("files", files.stat().st_size, 1, write)]


def decision(layers: Iterable[Layer]) -> str:
    """What lies in which layer, from below: a line each."""
    lines = (
        f"layer {number}: {layer.size / 1e6:.2f} MB, sha256:{layer.digest[:12]}:"
        f" {layer.comment}"
        for number, layer in enumerate(layers, 1)
    )
    return "\n".join(lines)


def configure(
    arguments: argparse.Namespace, base: Mapping[str, Any], layers: Iterable[Layer]
) -> bytes:
    """The image's configuration; base: that of the image below."""
    layers = list(layers)
    described = json.loads(arguments.configuration.read_text())
    created = arguments.created
    configuration = {
        **described,
        "config": over_base(described["config"], base),
        "created": created,
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{layer.digest}" for layer in layers],
        },
        "history": [{"created": created, "comment": layer.comment} for layer in layers],
    }
    return json.dumps(configuration, sort_keys=True, separators=(",", ":")).encode()


def write_image(arguments: argparse.Namespace, target: BinaryIO) -> list[Layer]:
    """Write the whole archive; see main for the arguments. Returns the layers."""
    archive = ImageArchive(target)
    layers: list[Layer] = []
    base: dict[str, Any] = {}
    if arguments.from_image is not None:
        layers, base = copy_base(archive, arguments.from_image)
    sources = own_sources(arguments, len(layers))
    layers += archive.add_layers(sources, arguments.jobs)
    archive.finish(arguments.name, configure(arguments, base, layers), layers)
    return layers


def jobs(text: str) -> int:
    """A number of processes; 0 is one for each processor, as in Nix's option cores."""
    return int(text) or cores()


def argument_parser() -> argparse.ArgumentParser:
    """The arguments that say what is in an image."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True, help="NAME:TAG")
    parser.add_argument("--configuration", type=Path, required=True)
    parser.add_argument("--customisation-layer", type=Path, required=True)
    parser.add_argument("--created", type=timestamp, required=True, help="ISO 8601")
    parser.add_argument("--max-layers", type=int, required=True)
    parser.add_argument("--closure", type=Path, action="append", default=[])
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--from-image", type=Path)
    parser.add_argument("--jobs", type=jobs, default=cores(), help="0: one a processor")
    parser.add_argument("target", type=Path)
    return parser


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write the image; returns the exit status, 1 with one line on standard error.

    words: the arguments, by default those of the process.
    """
    arguments = argument_parser().parse_args(words)
    try:
        with open(arguments.target, "xb", buffering=CHUNK) as target:
            layers = write_image(arguments, target)
    except FileExistsError:
        print(f"error: {arguments.target} is there already", file=sys.stderr)
        return 1
    except BaseException as error:
        arguments.target.unlink(missing_ok=True)
        if not isinstance(error, ImageError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(decision(layers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
