"""Writes an image that describe_image.py has described, as an archive on a pipe.

The bytes are those that write_image.py writes. A daemon that has some of the layers is
content with an archive that lacks them (moby, image/tarexport/load.go).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Optional

from image_error import ImageError
from layer_tar import CHUNK, write_store_layer
from write_image import ArchiveStream, Layer


class CountingWriter:
    """Passes bytes on to a file and counts them."""

    def __init__(self, target: BinaryIO) -> None:
        """target: where the bytes go."""
        self.target = target
        self.count = 0

    def tell(self) -> int:
        """How many bytes were written."""
        return self.count

    def write(self, data: Any) -> int:
        """Write all of the data."""
        self.target.write(data)
        self.count += len(data)
        return len(data)


def pieces(file: Path, offset: int, size: int) -> Iterator[bytes]:
    """A part of a file, in pieces."""
    with open(file, "rb") as content:
        content.seek(offset)
        while size > 0:
            data = content.read(min(CHUNK, size))
            if not data:
                return
            size -= len(data)
            yield data


class ImageStream(ArchiveStream):
    """The archive under way, of described layers."""

    def add_layer(self, entry: dict[str, Any]) -> None:
        """Add a layer of the description.

        Raises ImageError where it is not as long as described.
        """
        layer = layer_of(entry)
        self.target.write(self._header(layer.name, layer.size))
        out = CountingWriter(self.target)
        if "paths" in entry:
            write_store_layer(out.write, entry["paths"])
        else:
            for data in pieces(Path(entry["file"]), entry["offset"], layer.size):
                out.write(data)
        if out.count != layer.size:
            raise ImageError(
                f"the layer {layer.comment} has {out.count} bytes, not {layer.size} as"
                " described: nix-store --verify --check-contents --repair"
            )
        self._pad(layer.size)


def layer_of(entry: dict[str, Any]) -> Layer:
    """A layer of a description as an archive has it."""
    return Layer(entry["digest"], entry["comment"], entry["size"])


def stream_image(
    description: dict[str, Any], target: BinaryIO, without: Collection[str] = ()
) -> None:
    """Write the archive; without: digests of layers whose bytes are left out."""
    archive = ImageStream(target)
    for entry in description["layers"]:
        if entry["digest"] not in without:
            archive.add_layer(entry)
    layers = map(layer_of, description["layers"])
    archive.finish(description["name"], description["configuration"].encode(), layers)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write to standard output; returns 1 with one line on standard error if it fails.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="stream", description="Writes an image's archive, for docker load."
    )
    parser.add_argument(
        "--without",
        metavar="DIGEST",
        action="append",
        default=[],
        help="leave out the bytes of a layer; SHA-256, hexadecimal",
    )
    parser.add_argument("description", type=Path)
    arguments = parser.parse_args(words)
    if sys.stdout.isatty():
        print("error: an archive is no text: | docker load", file=sys.stderr)
        return 1
    description = json.loads(arguments.description.read_text())
    try:
        with open(sys.stdout.fileno(), "wb", CHUNK, closefd=False) as target:
            stream_image(description, target, arguments.without)
    except BrokenPipeError:
        # Who reads it says why it does not; nothing is left to flush at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
