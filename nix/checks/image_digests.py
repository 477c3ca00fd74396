"""The digests of images, as JSON: of each its configuration's and its layers'.

Taken of the bytes in the archives (Docker Image Specification v1.2), not of what these
say of themselves. The configuration's digest is the image's identity: it holds those of
the layers, and everything else that `docker inspect` shows.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

CHUNK = 1 << 20
RECORD = "./mirror nix run .#record-digests"
CAUSE = "./mirror nix run .#reproducibility -- --all"


def digest_of(archive: tarfile.TarFile, name: str) -> str:
    """The SHA-256 of a file in an archive."""
    content = archive.extractfile(name)
    assert content is not None, f"{name} is no file"
    digest = hashlib.sha256()
    for chunk in iter(lambda: content.read(CHUNK), b""):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def image_digests(path: Path) -> dict[str, Any]:
    """The digests of the image archive at `path`, layers from below.

    A layer stands with what the image's history says of it.
    """
    with tarfile.open(path, "r:") as archive:

        def read(name: str) -> Any:
            content = archive.extractfile(name)
            assert content is not None, f"{name} is no file"
            return json.load(content)

        (manifest,) = read("manifest.json")
        history = [
            step.get("comment", "")
            for step in read(manifest["Config"])["history"]
            if not step.get("empty_layer")
        ]
        return {
            "configuration": digest_of(archive, manifest["Config"]),
            "layers": [
                f"{digest_of(archive, layer)} {comment}"
                for layer, comment in zip(manifest["Layers"], history)
            ],
        }


def as_text(digests: dict[str, Any]) -> str:
    """The digests as they are recorded."""
    return json.dumps(digests, indent=2, sort_keys=True) + "\n"


def difference(recorded: str, built: str) -> str:
    """What differs, line by line; empty where nothing does."""
    return "".join(
        difflib.unified_diff(
            recorded.splitlines(keepends=True),
            built.splitlines(keepends=True),
            "recorded",
            "built",
        )
    )


def main(words: Optional[Sequence[str]] = None) -> int:
    """Print the digests; returns 1 where they are not those that are recorded.

    words: the arguments, by default those of the process: images as NAME=PATH, and the
    file of recorded digests to compare with.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recorded", type=Path)
    parser.add_argument("images", nargs="+", metavar="NAME=PATH")
    arguments = parser.parse_args(words)
    digests = {}
    for image in arguments.images:
        name, _, path = image.partition("=")
        digests[name] = image_digests(Path(path))
    built = as_text(digests)
    if arguments.recorded is None:
        sys.stdout.write(built)
        return 0
    drift = difference(arguments.recorded.read_text(), built)
    if drift:
        sys.stdout.write(drift)
        print(
            f"error: the images are not the recorded ones; if they should not be: {RECORD};"
            f" where nothing was changed: {CAUSE}"
        )
        return 1
    print(f"{len(digests)} images as recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
