"""Describes a layered image, for stream_image.py to write it at any time, in any part.

The description is JSON: `name` (NAME:TAG), `configuration` (its exact text) and
`layers`, from below: `digest`, `comment` and `size` as in the archive that
write_image.py would write, and where the bytes come from: `paths`, store paths of which
a tar is made, or `file`, in which they begin at `offset`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import write_image
from image_error import ImageError
from stream_image import layer_of
from write_image import Layer, digests


def entry(layer: Layer, **source: Any) -> dict[str, Any]:
    """A layer in the description; source: where its bytes come from."""
    return {
        "digest": layer.digest,
        "comment": layer.comment,
        "size": layer.size,
        **source,
    }


def below(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The base image's layers, described, and its configuration."""
    if arguments.base_description is not None:
        base = json.loads(arguments.base_description.read_text())
        return base["layers"], json.loads(base["configuration"])
    if arguments.from_image is None:
        return [], {}
    layers, configuration = write_image.read_base(arguments.from_image)
    file = str(arguments.from_image)
    described = [entry(layer, file=file, offset=offset) for layer, offset in layers]
    return described, configuration


def forget(number: int, offset: int, data: Any) -> None:
    """Keep nothing of a layer's bytes."""


def describe(arguments: argparse.Namespace) -> dict[str, Any]:
    """The description; see main for the arguments. Raises ImageError."""
    layers, base = below(arguments)
    sources = write_image.own_sources(arguments, len(layers))
    for layer, source in zip(digests(sources, forget, arguments.jobs), sources):
        if source.paths:
            layers.append(entry(layer, paths=source.paths))
        else:
            file = str(arguments.customisation_layer)
            layers.append(entry(layer, file=file, offset=0))
    configuration = write_image.configure(arguments, base, map(layer_of, layers))
    return {
        "name": arguments.name,
        "configuration": configuration.decode(),
        "layers": layers,
    }


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write the description; returns 1 with one line on standard error if there is none.

    words: the arguments, by default those of the process.
    """
    parser = write_image.argument_parser()
    parser.add_argument("--base-description", type=Path, help="instead of --from-image")
    arguments = parser.parse_args(words)
    try:
        described = describe(arguments)
    except ImageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    arguments.target.write_text(json.dumps(described, sort_keys=True, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
