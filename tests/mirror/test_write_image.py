"""Image archives: their bytes, their layers, and what tarfile makes of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import parallel
import pytest
import write_image
from image_parts import (
    FILES,
    NAMES,
    arguments,
    customisation,
    docker_archive,
    store_path,
)


class Image:
    """What an archive says, checked on the way."""

    def __init__(self, path: Path) -> None:
        with tarfile.open(path, "r:") as archive:
            self.names = archive.getnames()
            self.content = {}
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                self.content[member.name] = file.read()
        assert path.stat().st_size % 512 == 0
        (self.manifest,) = json.loads(self.content["manifest.json"])
        name = self.manifest["Config"]
        assert name == f"{hashlib.sha256(self.content[name]).hexdigest()}.json"
        self.configuration = json.loads(self.content[name])
        self.layers = [self.content[layer] for layer in self.manifest["Layers"]]
        digests = [hashlib.sha256(layer).hexdigest() for layer in self.layers]
        assert self.manifest["Layers"] == [f"{each}/layer.tar" for each in digests]
        diff_ids = self.configuration["rootfs"]["diff_ids"]
        assert diff_ids == [f"sha256:{each}" for each in digests]
        assert len(self.configuration["history"]) == len(diff_ids)
        assert set(self.names) == {name, "manifest.json", *self.manifest["Layers"]}


def test_the_archive_and_its_manifest_agree(tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:3]]
    assert write_image.main(arguments(tmp_path, paths=paths)) == 0
    image = Image(tmp_path / "image.tar")
    assert image.manifest["RepoTags"] == ["thing:1.0"]
    assert image.configuration["created"] == "1970-01-01T00:00:01+00:00"
    comments = [step["comment"] for step in image.configuration["history"]]
    assert comments == ["p0", "p1", "p2", "files"]
    with tarfile.open(fileobj=io.BytesIO(image.layers[0])) as layer:
        members = {member.name.rstrip("/"): member for member in layer}
        store = str(paths[0]).lstrip("/")
        assert {name.replace(store, "@") for name in members} == {
            *("nix", "nix/store", "@", "@/link", "@/bin", "@/lib", "@/lib/é"),
            *(f"@/{file}" for file in FILES),
        }
        for member in members.values():
            assert (member.uid, member.gid, member.mtime) == (0, 0, 1)
            assert (member.uname, member.gname) == ("", "")
        for file, (mode, content) in FILES.items():
            extracted = layer.extractfile(f"{store}/{file}")
            assert extracted is not None and extracted.read() == content
            assert members[f"{store}/{file}"].mode == mode
        assert members[f"{store}/link"].linkname == "lib/module.py"


def test_without(tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:3]]
    words = arguments(tmp_path, "--without", str(paths[1]), paths=paths)
    assert write_image.main(words) == 0
    image = Image(tmp_path / "image.tar")
    comments = [step["comment"] for step in image.configuration["history"]]
    assert comments == ["p0", "p2", "files"]


def test_small_paths_share_layers(tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)[2:]) for name in NAMES[:6]]
    words = arguments(tmp_path, paths=paths)
    words[words.index("--max-layers") + 1] = "3"
    assert write_image.main(words) == 0
    image = Image(tmp_path / "image.tar")
    assert len(image.layers) == 3
    comments = [step["comment"] for step in image.configuration["history"]]
    assert ", ".join(comments) == "p0, p1, p2, p3, p4, p5, files"


def test_the_same_bytes_whatever_surrounds_them(tmp_path: Path) -> None:
    archives = set()
    for turn, (umask, zone, locale) in enumerate(
        [(0o022, "UTC", "C.UTF-8"), (0o077, "Asia/Tokyo", "C"), (0, "EST5EDT", "POSIX")]
    ):
        root = tmp_path / "root"
        root.mkdir()
        files = list(FILES)[:: -1 if turn == 1 else 1]
        names = NAMES[:3] if turn else NAMES[2::-1]
        paths = [store_path(root, name, files) for name in names]
        done = subprocess.run(
            [
                sys.executable,
                "-EsB",
                write_image.__file__,
                *arguments(root, paths=paths),
            ],
            env={"TZ": zone, "LC_ALL": locale},
            preexec_fn=partial(os.umask, umask),
        )
        assert done.returncode == 0
        archives.add((root / "image.tar").read_bytes())
        root.rename(tmp_path / f"root-{turn}")
    assert len(archives) == 1


@pytest.mark.parametrize("copies", [True, False])
def test_over_a_base_image(
    copies: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not copies:

        def refuse(*words: object) -> int:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr(os, "copy_file_range", refuse)
    below, above = tmp_path / "below", tmp_path / "above"
    for folder in (below, above):
        folder.mkdir()
    paths = [store_path(below, name, list(FILES)) for name in NAMES[:2]]
    config = {"Env": ["A=1", "B=2"], "Entrypoint": ["old"]}
    assert write_image.main(arguments(below, paths=paths, config=config)) == 0
    base = below / "image.tar"
    config = {"Env": ["B=3", "C=4"], "Cmd": ["new"]}
    words = arguments(above, "--from-image", str(base), config=config)
    assert write_image.main(words) == 0
    lower, image = Image(base), Image(above / "image.tar")
    assert image.layers[:-1] == lower.layers
    assert image.configuration["config"] == {
        "Env": ["A=1", "B=3", "C=4"],
        "Cmd": ["new"],
    }
    comments = [step["comment"] for step in image.configuration["history"]]
    assert comments == ["p0", "p1", "files", "files"]


def test_over_an_image_of_docker(tmp_path: Path) -> None:
    docker_archive(tmp_path / "base.tar")
    words = arguments(tmp_path, "--from-image", str(tmp_path / "base.tar"))
    assert write_image.main(words) == 0
    image = Image(tmp_path / "image.tar")
    comments = [step["comment"] for step in image.configuration["history"]]
    assert comments == ["ADD file", "RUN x", "files"]
    assert image.layers[0] == image.layers[1]


def test_errors_are_one_line_and_leave_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    customisation(tmp_path / "no-image.tar", file=b"")
    docker_archive(tmp_path / "base.tar")
    paths = [store_path(tmp_path, NAMES[0], list(FILES))]
    for base, most, pattern in (
        ("no-image.tar", "10", "is no image archive"),
        ("base.tar", "3", "2 layers leave no room below 3: raise maxLayers"),
    ):
        words = arguments(tmp_path, "--from-image", str(tmp_path / base), paths=paths)
        words[words.index("--max-layers") + 1] = most
        assert write_image.main(words) == 1
        told = capsys.readouterr().err
        assert pattern in told and len(told.splitlines()) == 1
        assert not (tmp_path / "image.tar").exists()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    words = arguments(tmp_path, paths=[tmp_path / "gone"])
    with pytest.raises(FileNotFoundError):
        write_image.main(words)
    assert not (tmp_path / "image.tar").exists()


def test_what_is_there_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "image.tar").write_bytes(b"mine")
    assert write_image.main(arguments(tmp_path)) == 1
    assert capsys.readouterr().err.endswith("image.tar is there already\n")
    assert (tmp_path / "image.tar").read_bytes() == b"mine"


@pytest.mark.parametrize("jobs", ["0", "1", "2", "5"])
def test_the_same_bytes_from_any_number_of_processes(jobs: str, tmp_path: Path) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:4]]
    assert write_image.main(arguments(tmp_path, paths=paths)) == 0
    expected = (tmp_path / "image.tar").read_bytes()
    (tmp_path / "image.tar").unlink()
    assert write_image.main(arguments(tmp_path, "--jobs", jobs, paths=paths)) == 0
    assert (tmp_path / "image.tar").read_bytes() == expected


def test_the_decision_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:3]]
    words = arguments(tmp_path, paths=paths)
    words[words.index("--max-layers") + 1] = "3"
    assert write_image.main(words) == 0
    image = Image(tmp_path / "image.tar")
    assert capsys.readouterr().out.splitlines() == [
        f"layer {number}: {len(content) / 1e6:.2f} MB, sha256:{name[:12]}: {members}"
        for number, name, content, members in zip(
            range(1, 4),
            image.manifest["Layers"],
            image.layers,
            ("p0, p1", "p2", "files"),
        )
    ]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_layer_that_changes_meanwhile_is_an_error(
    jobs: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = [store_path(tmp_path, name, list(FILES)) for name in NAMES[:2]]

    def changed(*words: Any) -> list[Any]:
        store_path(tmp_path, NAMES[1] + "/more", list(FILES))
        return parallel.in_processes(*words)

    monkeypatch.setattr(write_image, "in_processes", changed)
    assert write_image.main(arguments(tmp_path, "--jobs", jobs, paths=paths)) == 1
    assert capsys.readouterr().err == "error: p1 changed while it was read\n"
    assert not (tmp_path / "image.tar").exists()


def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "nix/store" / NAMES[0]
    path.mkdir(parents=True)
    with open(path / "large", "wb") as file:
        file.truncate(48 << 20)
    for number in range(500):
        (path / f"{number}").touch()
    # In this process, whose memory can be measured; others do the same.
    words = arguments(tmp_path, "--jobs", "1", paths=[path])
    customisation(tmp_path / "layer.tar", large=bytes(8 << 20))
    tracemalloc.start()
    try:
        assert write_image.main(words) == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5 << 20


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01+00:00"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T07:08:09+02:00"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert write_image.timestamp(text) == expected
