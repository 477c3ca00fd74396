"""The modules under test on the path, and an image archive made by hand."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import settings

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[2] / "nix/sbom"))

settings.register_profile("unhurried", database=None, deadline=None)
settings.load_profile("unhurried")

WriteArchive = Callable[..., Path]


def tar(files: Mapping[str, Optional[bytes]]) -> bytes:
    """A tar of files; None stands for a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if content is None:
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def write_archive(tmp_path: Path) -> WriteArchive:
    """Writes an image archive of layers; returns its path."""

    def write(*layers: Mapping[str, Optional[bytes]], python: str = "3.9.2") -> Path:
        tars = {
            f"{number}/layer.tar": tar(layer) for number, layer in enumerate(layers)
        }
        diff_ids = [
            f"sha256:{hashlib.sha256(content).hexdigest()}" for content in tars.values()
        ]
        configuration = {
            "created": "1970-01-01T00:00:01+00:00",
            "config": {"Env": [f"PYTHON_VERSION={python}"]},
            "rootfs": {"diff_ids": diff_ids},
        }
        manifest = [{"Config": "c.json", "Layers": list(tars)}]
        described = {
            "c.json": json.dumps(configuration).encode(),
            "manifest.json": json.dumps(manifest).encode(),
        }
        path = tmp_path / "image.tar"
        path.write_bytes(tar({**tars, **described}))
        return path

    return write
