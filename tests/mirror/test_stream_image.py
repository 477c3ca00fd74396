"""Images that are described first and written later: the bytes of write_image.py."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import describe_image
import pytest
import stream_image
import write_image
from image_parts import (
    FILES,
    NAMES,
    arguments,
    customisation,
    docker_archive,
    store_path,
)


def describe(words: Sequence[str], *more: str) -> Path:
    """Write the description beside the image that the words are for."""
    *options, target = words
    description = Path(target).with_name("description.json")
    assert describe_image.main([*options, *more, str(description)]) == 0
    return description


def streamed(description: Path, without: Sequence[str] = ()) -> bytes:
    """The archive that is written."""
    buffer = io.BytesIO()
    stream_image.stream_image(json.loads(description.read_text()), buffer, without)
    return buffer.getvalue()


def program(description: Path, *words: str, **options: Any) -> Any:
    """Run the script as a user's shell does."""
    return subprocess.run(
        [sys.executable, "-B", stream_image.__file__, str(description), *words],
        stderr=subprocess.PIPE,
        timeout=60,
        **options,
    )


def test_the_same_bytes(tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:4]]
    words = arguments(tmp_path, "--without", str(paths[1]), paths=paths)
    assert write_image.main(words) == 0
    expected = (tmp_path / "image.tar").read_bytes()
    description = describe(words)
    assert streamed(description) == expected
    assert program(description, stdout=subprocess.PIPE).stdout == expected


@pytest.mark.parametrize("base", ["archive", "description"])
def test_the_same_bytes_over_a_base_image(base: str, tmp_path: Path) -> None:
    below, above = tmp_path / "below", tmp_path / "above"
    for folder in (below, above):
        folder.mkdir()
    paths = [store_path(below, name, list(FILES)) for name in NAMES[:2]]
    lower = arguments(below, paths=paths, config={"Env": ["A=1"]})
    assert write_image.main(lower) == 0
    from_archive = ("--from-image", str(below / "image.tar"))
    from_description = ("--base-description", str(describe(lower)))
    words = arguments(above, config={"Env": ["B=2"]})
    assert write_image.main([*from_archive, *words]) == 0
    options = from_archive if base == "archive" else from_description
    description = describe(words, *options)
    assert streamed(description) == (above / "image.tar").read_bytes()


def test_over_an_image_of_docker(tmp_path: Path) -> None:
    docker_archive(tmp_path / "base.tar")
    words = arguments(tmp_path, "--from-image", str(tmp_path / "base.tar"))
    assert write_image.main(words) == 0
    assert streamed(describe(words)) == (tmp_path / "image.tar").read_bytes()


def test_layers_are_left_out(tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:3]]
    description = describe(arguments(tmp_path, paths=paths))
    layers = [
        layer["digest"] for layer in json.loads(description.read_text())["layers"]
    ]
    whole = tarfile.open(fileobj=io.BytesIO(streamed(description)))
    part = tarfile.open(fileobj=io.BytesIO(streamed(description, layers[:3])))
    left_out = {f"{digest}/layer.tar" for digest in layers[:3]}
    assert set(whole.getnames()) - set(part.getnames()) == left_out

    def manifest(archive: tarfile.TarFile) -> bytes:
        content = archive.extractfile("manifest.json")
        assert content is not None
        return content.read()

    assert manifest(whole) == manifest(part)
    options = [word for digest in layers[:3] for word in ("--without", digest)]
    done = program(description, *options, stdout=subprocess.PIPE)
    assert done.stdout == streamed(description, layers[:3])


def test_the_description_says_where_bytes_are(tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:2]]
    described = json.loads(describe(arguments(tmp_path, paths=paths)).read_text())
    assert described["name"] == "thing:1.0"
    sources = [layer.get("paths") or layer["file"] for layer in described["layers"]]
    assert sources == [[str(paths[0])], [str(paths[1])], str(tmp_path / "layer.tar")]


@pytest.mark.parametrize("change", [-1, 1])
def test_a_changed_store_is_told(change: int, tmp_path: Path) -> None:
    path = store_path(tmp_path, NAMES[0], list(FILES))
    description = describe(arguments(tmp_path, paths=[path]))
    content = json.loads(description.read_text())
    content["layers"][0]["size"] += change * 512
    description.write_text(json.dumps(content))
    done = program(description, stdout=subprocess.DEVNULL)
    told = done.stderr.decode()
    assert done.returncode == 1 and len(told.splitlines()) == 1
    assert "bytes, not" in told and "nix-store --verify" in told


def test_a_file_that_ends_early_is_told(tmp_path: Path) -> None:
    description = describe(arguments(tmp_path))
    customisation(tmp_path / "layer.tar", app=b"x").write_bytes(b"short")
    done = program(description, stdout=subprocess.DEVNULL)
    assert done.returncode == 1 and b"has 5 bytes" in done.stderr


def test_a_reader_that_stops_is_no_traceback(tmp_path: Path) -> None:
    customisation(tmp_path / "layer.tar", app=b"app")
    words = arguments(tmp_path)
    customisation(tmp_path / "layer.tar", large=bytes(4 << 20))
    description = describe(words)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = program(description, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 1 and done.stderr == b""


def test_nothing_is_written_to_a_terminal(tmp_path: Path) -> None:
    description = describe(arguments(tmp_path))
    main, terminal = os.openpty()
    try:
        done = program(description, stdout=terminal)
    finally:
        os.close(terminal)
        os.close(main)
    assert done.returncode == 1 and b"| docker load" in done.stderr


def test_no_room_for_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker_archive(tmp_path / "base.tar")
    path = store_path(tmp_path, NAMES[0], list(FILES))
    words = arguments(
        tmp_path, "--from-image", str(tmp_path / "base.tar"), paths=[path]
    )
    words[words.index("--max-layers") + 1] = "3"
    assert describe_image.main(words) == 1
    told = capsys.readouterr().err
    assert "raise maxLayers" in told and len(told.splitlines()) == 1
    assert not (tmp_path / "image.tar").exists()


def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "nix/store" / NAMES[0]
    path.mkdir(parents=True)
    with open(path / "large", "wb") as file:
        file.truncate(48 << 20)
    words = arguments(tmp_path, paths=[path])
    tracemalloc.start()
    try:
        description = describe(words)
        with open(os.devnull, "wb") as target:
            stream_image.stream_image(json.loads(description.read_text()), target)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20
