"""OCI image layouts: the archive's bytes, and what the specification says of a layout."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import archives
import pytest
import write_layout
from hypothesis import given
from hypothesis import strategies as st

LAYERS = [archives.tar({name: name.encode() * 3000}) for name in ("a", "b", "c")]


def write(folder: Path, layers: list[bytes], *options: str) -> Path:
    """The layout of an image of these layers."""
    folder.mkdir(exist_ok=True)
    (folder / "image.tar").write_bytes(archives.image(layers))
    words = [
        "--tag",
        "1.0",
        *options,
        str(folder / "image.tar"),
        str(folder / "layout"),
    ]
    assert write_layout.main(words) == 0
    return folder / "layout"


class Layout:
    """What a layout says, checked on the way."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        assert json.loads((folder / "oci-layout").read_bytes()) == {
            "imageLayoutVersion": "1.0.0"
        }
        self.index = json.loads((folder / "index.json").read_bytes())
        (self.entry,) = self.index["manifests"]
        self.manifest = json.loads(self.blob(self.entry))
        self.configuration = self.blob(self.manifest["config"])
        self.blobs = [self.blob(layer) for layer in self.manifest["layers"]]
        named = [self.entry, self.manifest["config"], *self.manifest["layers"]]
        assert set(os.listdir(folder)) == {"oci-layout", "index.json", "blobs"}
        assert set(os.listdir(folder / "blobs/sha256")) == {
            each["digest"].partition(":")[2] for each in named
        }

    def blob(self, descriptor: Any) -> bytes:
        algorithm, _, name = descriptor["digest"].partition(":")
        content: bytes = (self.folder / "blobs" / algorithm / name).read_bytes()
        assert (archives.digest(content), len(content)) == (name, descriptor["size"])
        return content


def test_the_bytes_are_the_archive_s(tmp_path: Path) -> None:
    layout = Layout(write(tmp_path, LAYERS))
    assert layout.configuration == archives.configuration(LAYERS)
    assert [gzip.decompress(blob) for blob in layout.blobs] == LAYERS
    assert layout.entry["annotations"] == {"org.opencontainers.image.ref.name": "1.0"}
    assert layout.entry["platform"] == {"architecture": "amd64", "os": "linux"}
    assert {layer["mediaType"] for layer in layout.manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }


def test_the_same_bytes_every_time(tmp_path: Path) -> None:
    first = write(tmp_path / "first", LAYERS)
    (tmp_path / "second").mkdir()
    subprocess.run(
        [sys.executable, "-IB", write_layout.__file__, "--tag", "1.0"]
        + [str(tmp_path / "first/image.tar"), str(tmp_path / "second/layout")],
        env={"TZ": "Asia/Tokyo"},
        check=True,
    )
    one, two = Layout(first), Layout(tmp_path / "second/layout")
    assert one.index == two.index and one.blobs == two.blobs


def test_layers_of_the_base_are_not_compressed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Layout(write(tmp_path / "plain", LAYERS))
    base = write(tmp_path / "base", LAYERS[:2])
    compressed: list[int] = []
    add_layer = write_layout.Layout.add_layer

    def note(layout: Any, archive: Path, part: Any) -> Any:
        compressed.append(part.size)
        return add_layer(layout, archive, part)

    monkeypatch.setattr(write_layout.Layout, "add_layer", note)
    layout = Layout(write(tmp_path / "above", LAYERS, "--base", str(base)))
    assert compressed == [len(LAYERS[2])]
    assert layout.index == plain.index


def test_a_layer_that_is_there_twice(tmp_path: Path) -> None:
    layout = Layout(write(tmp_path, [LAYERS[0], LAYERS[1], LAYERS[0]]))
    assert layout.blobs[0] == layout.blobs[2]
    assert len(os.listdir(layout.folder / "blobs/sha256")) == 4


def test_layers_that_are_links(tmp_path: Path) -> None:
    """As `docker save` writes a layer that several images have."""
    described = archives.configuration(LAYERS[:1])
    manifest = [{"Config": "c.json", "Layers": ["two/layer.tar"]}]
    path = tmp_path / "image.tar"
    path.write_bytes(
        archives.tar(
            {
                "one/layer.tar": LAYERS[0],
                "c.json": described,
                "manifest.json": json.dumps(manifest).encode(),
            }
        )
    )
    with tarfile.open(path, "a") as archive:
        member = tarfile.TarInfo("two/layer.tar")
        member.type, member.linkname = tarfile.SYMTYPE, "../one/layer.tar"
        archive.addfile(member)
    read = write_layout.read_archive(path)
    ((_, part),) = read.layers
    assert path.read_bytes()[part.offset : part.offset + part.size] == LAYERS[0]


@given(st.binary(max_size=5000))
def test_any_bytes_come_back(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        layer = archives.tar({"x": content})
        layout = Layout(write(Path(folder), [layer]))
        assert gzip.decompress(layout.blobs[0]) == layer


@pytest.mark.parametrize("content", [b"", b"no tar", archives.tar({"x": b""})])
def test_no_image(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    words = ["--tag", "1", str(tmp_path / "image.tar"), str(tmp_path / "layout")]
    assert write_layout.main(words) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and len(told.splitlines()) == 1
    assert not (tmp_path / "layout").exists()


def test_what_is_there_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, LAYERS)
    words = ["--tag", "1", str(tmp_path / "image.tar"), str(tmp_path / "layout")]
    assert write_layout.main(words) == 1
    assert "exists" in capsys.readouterr().err


def test_memory_does_not_grow_with_the_layer(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "image.tar"
    path.write_bytes(
        archives.image([archives.tar({"x": io.BytesIO(bytes(32 << 20)).read()})])
    )
    tracemalloc.start()
    try:
        archive = write_layout.read_archive(path)
        write_layout.write_layout(archive, "1", tmp_path / "layout")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
