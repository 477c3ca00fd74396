"""Image archives made by hand."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence


def tar(files: Mapping[str, bytes]) -> bytes:
    """A tar of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def digest(content: bytes) -> str:
    """Its SHA-256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def configuration(layers: Sequence[bytes]) -> bytes:
    """The configuration of an image of these layers, spelled as none else would."""
    diff_ids = [f"sha256:{digest(layer)}" for layer in layers]
    described = {
        "os": "linux",
        "architecture": "amd64",
        "config": {"Healthcheck": {"Test": ["CMD", "true"]}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    return json.dumps(described, indent=3).encode()


def image(layers: Sequence[bytes]) -> bytes:
    """An archive of these layers, as nixpkgs and the mirror set write them."""
    described = configuration(layers)
    manifest = [
        {
            "Config": f"{digest(described)}.json",
            "RepoTags": ["thing:1.0"],
            "Layers": [f"{digest(layer)}/layer.tar" for layer in layers],
        }
    ]
    return tar(
        {
            **{f"{digest(layer)}/layer.tar": layer for layer in layers},
            f"{digest(described)}.json": described,
            "manifest.json": json.dumps(manifest).encode(),
        }
    )
