"""Digests of archives made by hand, and what is said where they drift."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from image_digests import image_digests, main

CONFIGURATION = b'{"history": [{"empty_layer": true}, {"comment": "python"}]}'


def write_image(path: Path, layer: bytes) -> Path:
    """Write an image archive of one layer."""
    manifest = [{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["0/layer.tar"]}]
    files = {
        "0/layer.tar": layer,
        "c.json": CONFIGURATION,
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def test_digests_are_of_the_bytes(tmp_path: Path) -> None:
    image = image_digests(write_image(tmp_path / "image.tar", b"layer"))
    configuration = hashlib.sha256(CONFIGURATION).hexdigest()
    layer = hashlib.sha256(b"layer").hexdigest()
    assert image == {
        "configuration": f"sha256:{configuration}",
        "layers": [f"sha256:{layer} python"],
    }


def test_drift_is_shown_with_the_command_that_records_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = write_image(tmp_path / "image.tar", b"layer")
    assert main([f"example={image}"]) == 0
    recorded = tmp_path / "digests.json"
    recorded.write_text(capsys.readouterr().out)
    assert main(["--recorded", str(recorded), f"example={image}"]) == 0
    assert capsys.readouterr().out == "1 images as recorded\n"

    image.unlink()
    write_image(image, b"another layer")
    assert main(["--recorded", str(recorded), f"example={image}"]) == 1
    drift = capsys.readouterr().out
    assert f"+      \"sha256:{hashlib.sha256(b'another layer').hexdigest()}" in drift
    assert "./mirror nix run .#record-digests" in drift
    assert "./mirror nix run .#reproducibility -- --all" in drift
