"""What images are made of in tests: store paths, layers, arguments, an image of Docker's."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

NAMES = [f"{number:032d}-p{number}" for number in range(12)]

FILES = {
    "bin/run": (0o555, b"#!/bin/sh\n"),
    "lib/é/" + "x" * 120: (0o444, b"y" * 1000),
    "lib/empty": (0o444, b""),
    "lib/module.py": (0o444, b"x = 1\n" * 200),
}


def store_path(root: Path, name: str, files: Sequence[str]) -> Path:
    """A store path with these files, written in this order."""
    path = root / "nix/store" / name
    for file in files:
        mode, content = FILES[file]
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_bytes(content)
        (path / file).chmod(mode)
    (path / "link").symlink_to("lib/module.py")
    for folder in [path, *(p for p in path.rglob("*") if p.is_dir())]:
        folder.chmod(0o755)
    return path


def customisation(path: Path, **files: bytes) -> Path:
    """Write a tar of files; returns its path."""
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def arguments(
    root: Path,
    *more: str,
    paths: Sequence[Path] = (),
    config: Optional[dict[str, Any]] = None,
) -> list[str]:
    """The arguments for an image of these store paths, in `root`."""
    closure = root / "closure"
    closure.write_text("".join(f"{path}\n\n0\n" for path in paths))
    described = {"architecture": "amd64", "os": "linux", "config": config or {}}
    (root / "configuration.json").write_text(json.dumps(described))
    return [
        *("--name", "thing:1.0", "--created", "1970-01-01T00:00:01Z"),
        *("--configuration", str(root / "configuration.json")),
        *("--customisation-layer", str(customisation(root / "layer.tar", app=b"app"))),
        *("--max-layers", "10", "--closure", str(closure), *more),
        str(root / "image.tar"),
    ]


def docker_archive(path: Path) -> None:
    """As `docker save` writes it: history without comments, a layer that is a link."""
    layer = customisation(path.with_name("layer"), file=b"x").read_bytes()
    digest = hashlib.sha256(layer).hexdigest()
    configuration = {
        "config": {"Env": None},
        "rootfs": {"diff_ids": [f"sha256:{digest}"] * 2},
        "history": [
            {"created_by": "ADD file"},
            {"created_by": "ENV a", "empty_layer": True},
            {"created_by": "RUN x"},
        ],
    }
    manifest = [{"Config": "c.json", "Layers": ["one/layer.tar", "two/layer.tar"]}]
    contents = {
        "one/layer.tar": layer,
        "c.json": json.dumps(configuration).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    customisation(path, **contents)
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("two/layer.tar")
        member.type, member.linkname = tarfile.SYMTYPE, "../one/layer.tar"
        archive.addfile(member)
