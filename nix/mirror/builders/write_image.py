"""Writes a layered image as an archive for `docker load`, in one pass over the files.

Format: Docker Image Specification v1.2. The archive is an uncompressed tar of layers,
each a tar named by its SHA-256, the image's configuration and manifest.json. A layer's
name and size stand before its content, so its header is written last, over a
placeholder.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Optional

BLOCK = 512
CHUNK = 1 << 20
STORE_MTIME = 1

# Fields of a tar header (tar(5), "GNU tar Archives"): longest name and largest size in
# it, owner and group, and what stands after the name of a link.
NAME_BYTES = 100
OCTAL_BYTES = 0o77777777777
ROOT = 2 * b"0000000\0"
MAGIC = b"ustar  \0" + bytes(247)


class ImageError(Exception):
    """The image cannot be written; the message is one line that says why."""


@dataclass(frozen=True)
class Layer:
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


def read_closures(files: Iterable[Path]) -> dict[str, list[str]]:
    """Store paths and the paths that each refers to.

    files: in the format of `exportReferencesGraph` (Nix manual, "Advanced attributes"):
    for each path a line with it, one with its deriver, the number of references, and
    these.
    """
    graph: dict[str, list[str]] = {}
    for file in files:
        lines = iter(file.read_text().splitlines())
        for path in lines:
            next(lines)
            count = int(next(lines))
            graph[path] = [
                reference for reference in (next(lines) for _ in range(count))
            ]
    return graph


def in_order(graph: dict[str, list[str]], without: Iterable[str]) -> list[str]:
    """The paths so that each comes after what it refers to; otherwise by name.

    The name is what follows the hash, so that a changed hash moves nothing. `without`:
    paths that are left out.
    """
    ordered: list[str] = []
    seen: set[str] = set(without)

    def by_name(path: str) -> tuple[str, str]:
        return name_of(path), path

    def visit(path: str) -> None:
        if path in seen:
            return
        seen.add(path)
        for reference in sorted(graph.get(path, ()), key=by_name):
            visit(reference)
        ordered.append(path)

    for path in sorted(graph, key=by_name):
        visit(path)
    return ordered


def name_of(path: str) -> str:
    """The name of a store path, without the hash.

    >>> name_of("/nix/store/00000000000000000000000000000000-glibc-2.31")
    'glibc-2.31'
    """
    name = path.rpartition("/")[2]
    return name.partition("-")[2] or name


def size(path: Path) -> int:
    """The bytes that a path's files hold.

    Folders do not count: how large they are differs between file systems.
    """
    statuses = (status for _, status in entries(str(path)))
    return sum(
        status.st_size for status in statuses if not stat.S_ISDIR(status.st_mode)
    )


def group(paths: Sequence[str], most: int) -> list[list[str]]:
    """Part paths into at most `most` layers: large ones alone, small ones together.

    The order stays. While there are too many, the neighbours that are smallest together
    are joined, so that what is large and stable keeps a layer of its own.
    """
    groups = [[path] for path in paths]
    sizes = [size(Path(path)) for path in paths]

    def together(index: int) -> int:
        return sizes[index] + sizes[index + 1]

    while len(groups) > max(most, 1):
        first = min(range(len(groups) - 1), key=together)
        groups[first] += groups.pop(first + 1)
        sizes[first] += sizes.pop(first + 1)
    return groups


class HashingWriter(io.RawIOBase):
    """Passes bytes on to a file and takes their SHA-256 and count on the way."""

    def __init__(self, target: BinaryIO) -> None:
        """target: where the bytes go."""
        self.target = target
        self.hash = hashlib.sha256()
        self.count = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """How many bytes were written."""
        return self.count

    def write(self, data: Any) -> int:
        """Write all of the data."""
        self.hash.update(data)
        self.target.write(data)
        self.count += len(data)
        return len(data)


def entries(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """A path and all below it, sorted, each with its status; links not followed."""
    status = os.lstat(path)
    yield path, status
    if stat.S_ISDIR(status.st_mode):
        for name in sorted(os.listdir(path)):
            yield from entries(f"{path}/{name}")


def header(name: str, mode: int, kind: bytes, length: int = 0, link: str = "") -> bytes:
    """The header of an entry in a layer: owned by root, at the store's time.

    name: relative, of a folder with a slash at its end; kind: a type of tarfile's;
    length: the bytes of a file; link: what a symbolic link says. The same bytes as
    tarfile's in GNU format, which takes several times as long: an image has thousands.
    """
    place, target = (text.encode("utf-8", "surrogateescape") for text in (name, link))
    if len(place) > NAME_BYTES or len(target) > NAME_BYTES or length > OCTAL_BYTES:
        entry = tarfile.TarInfo(name)
        entry.mode, entry.type, entry.size = mode, kind, length
        entry.mtime, entry.linkname = STORE_MTIME, link
        return entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    fields = b"%s%07o\0%s%011o\0%011o\0        %s%s%s" % (
        place.ljust(NAME_BYTES, b"\0"),
        mode,
        ROOT,
        length,
        STORE_MTIME,
        kind,
        target.ljust(NAME_BYTES, b"\0"),
        MAGIC,
    )
    return b"%s%06o\0 %s" % (fields[:148], sum(fields), fields[156:])


def write_store_layer(target: BinaryIO, paths: Sequence[str]) -> None:
    """Write a tar of store paths: owned by root, at the store's time.

    What is small goes to the target together, some more than CHUNK bytes at once.
    Raises ImageError where a file is not as long as it was.
    """
    pending = bytearray()
    written = 0

    def flush() -> None:
        nonlocal pending, written
        written += len(pending)
        target.write(pending)
        pending = bytearray()

    for folder in ("nix/", "nix/store/"):
        pending += header(folder, 0o755, tarfile.DIRTYPE)
    for file, status in (entry for path in paths for entry in entries(path)):
        name = file.lstrip("/")
        mode = status.st_mode & 0o7777
        if stat.S_ISLNK(status.st_mode):
            pending += header(name, 0o777, tarfile.SYMTYPE, link=os.readlink(file))
        elif stat.S_ISDIR(status.st_mode):
            pending += header(f"{name}/", mode, tarfile.DIRTYPE)
        else:
            left = status.st_size
            pending += header(name, mode, tarfile.REGTYPE, left)
            content = os.open(file, os.O_RDONLY)
            try:
                while left:
                    data = os.read(content, min(CHUNK, left))
                    if not data:
                        raise ImageError(f"{file} became shorter while it was read")
                    left -= len(data)
                    pending += data
                    if len(pending) > CHUNK:
                        flush()
            finally:
                os.close(content)
            pending += bytes(-status.st_size % BLOCK)
    pending += bytes(2 * BLOCK)
    pending += bytes(-(written + len(pending)) % tarfile.RECORDSIZE)
    flush()


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

    def add_stream(self, write: Any, comment: str) -> Layer:
        """Add a layer that `write` writes to the file it is given."""
        start = self.target.tell()
        self.target.write(b"\0" * BLOCK)
        stream = HashingWriter(self.target)
        write(stream)
        layer = Layer(stream.hash.hexdigest(), comment, stream.count)
        self._pad(stream.count)
        end = self.target.tell()
        self.target.seek(start)
        self.target.write(self._header(layer.name, stream.count))
        self.target.seek(end)
        return layer

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


def store_layers(arguments: argparse.Namespace, below: int) -> list[list[str]]:
    """The store paths that each layer of the image is to hold.

    below: how many layers the base image has. Raises ImageError where no room is left.
    """
    paths = in_order(read_closures(arguments.closure), arguments.without)
    left = arguments.max_layers - below - 1
    if left < bool(paths):
        raise ImageError(
            f"the base image's {below} layers leave no room below"
            f" {arguments.max_layers}: raise maxLayers"
        )
    return group(paths, left)


def comment_on(paths: Iterable[str]) -> str:
    """What the image's history says of a layer of these store paths."""
    return ", ".join(map(name_of, paths))


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


def write_image(arguments: argparse.Namespace, target: BinaryIO) -> None:
    """Write the whole archive; see main for the arguments."""
    archive = ImageArchive(target)
    layers: list[Layer] = []
    base: dict[str, Any] = {}
    if arguments.from_image is not None:
        layers, base = copy_base(archive, arguments.from_image)
    for members in store_layers(arguments, len(layers)):
        write = partial(write_store_layer, paths=members)
        layers.append(archive.add_stream(write, comment_on(members)))

    def copy_customisation(out: HashingWriter) -> None:
        with open(arguments.customisation_layer, "rb") as layer:
            for chunk in iter(lambda: layer.read(CHUNK), b""):
                out.write(chunk)

    layers.append(archive.add_stream(copy_customisation, "files"))
    archive.finish(arguments.name, configure(arguments, base, layers), layers)


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
    parser.add_argument("target", type=Path)
    return parser


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write the image; returns the exit status, 1 with one line on standard error.

    words: the arguments, by default those of the process.
    """
    arguments = argument_parser().parse_args(words)
    try:
        with open(arguments.target, "xb", buffering=CHUNK) as target:
            write_image(arguments, target)
    except FileExistsError:
        print(f"error: {arguments.target} is there already", file=sys.stderr)
        return 1
    except BaseException as error:
        arguments.target.unlink(missing_ok=True)
        if not isinstance(error, ImageError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
