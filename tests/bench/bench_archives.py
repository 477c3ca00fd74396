"""Image archives made by hand."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

CONFIGURATION = json.dumps({"history": [{"comment": "below"}, {"comment": "top"}]})


def write_archive(path: Path, layers: Sequence[bytes]) -> Path:
    """Write an archive (Docker Image Specification v1.2) of these layers."""
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": names}]
    files = dict(zip(names, layers))
    files["c.json"] = CONFIGURATION.encode()
    files["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path
