"""The tar of a layer: what tarfile would write, measured before it is written."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import layer_tar
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_error import ImageError
from image_parts import FILES, NAMES, store_path
from layer_tar import BLOCK, CHUNK, layer_size, measure, write_store_layer

# None of the characters that only surrogates are made of: no file's name has them.
CHARACTERS = st.characters(blacklist_characters="\0/", max_codepoint=0xD7FF)
NAME = st.text(CHARACTERS, min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..")
)
# As Python reads names that are no UTF-8 (PEP 383).
ANY_NAME = st.binary(max_size=150).map(
    lambda name: name.replace(b"\0", b"").decode("utf-8", "surrogateescape")
)
CONTENT = st.integers(0, 3000).map(lambda length: b"x" * length)
LINK = st.text(CHARACTERS, min_size=1, max_size=150)
TREES = st.recursive(
    st.one_of(CONTENT, LINK),
    lambda below: st.dictionaries(NAME, below, max_size=4),
    max_leaves=12,
)


def write_tree(path: Path, tree: object) -> None:
    """Write a file, a link or a folder."""
    if isinstance(tree, bytes):
        path.write_bytes(tree)
    elif isinstance(tree, str):
        path.symlink_to(tree)
    elif isinstance(tree, dict):
        path.mkdir()
        for name, below in tree.items():
            write_tree(path / name, below)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """A folder with a long name: names in the tar are long as well."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def tar_of(*paths: Path) -> bytes:
    """The tar, put together."""
    pieces: list[bytes] = []
    write_store_layer(
        lambda data: pieces.append(bytes(data)), [str(path) for path in paths]
    )
    assert max(map(len, pieces)) <= CHUNK
    return b"".join(pieces)


def writable(name: str) -> bool:
    """Whether the file system takes the name."""
    return len(os.fsencode(name)) <= 200


def fits(tree: object) -> bool:
    """Whether the file system takes all names of a tree."""
    return not isinstance(tree, dict) or all(
        writable(name) and fits(below) for name, below in tree.items()
    )


@given(tree=TREES.filter(fits))
def test_a_tar_has_the_size_that_was_measured(scratch: Path, tree: object) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder, "tree")
        write_tree(path, tree)
        tar = tar_of(path)
        assert len(tar) == layer_size([measure(str(path))])
        held = measure(str(path))
        files = [below for below in (path, *path.rglob("*"))]
        assert held.entries == len(files)
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            # tarfile leaves the slash at the end of a long name.
            names = [member.name.rstrip("/") for member in archive]
            assert names[:2] == ["nix", "nix/store"]
            assert names[2:] == [
                name.lstrip("/") for name, _ in layer_tar.entries(str(path))
            ]


@given(tree=TREES.filter(fits))
def test_a_tar_holds_what_tarfile_would_write(scratch: Path, tree: object) -> None:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        path = Path(folder, "tree")
        write_tree(path, tree)
        expected = io.BytesIO()
        with tarfile.open(
            fileobj=expected, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8"
        ) as archive:
            for name in ("nix", "nix/store"):
                member = tarfile.TarInfo(name)
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                member.mtime = layer_tar.STORE_MTIME
                archive.addfile(member)
            for file, status in layer_tar.entries(str(path)):
                member = tarfile.TarInfo(file.lstrip("/"))
                member.mode = stat.S_IMODE(status.st_mode)
                member.mtime = layer_tar.STORE_MTIME
                if stat.S_ISDIR(status.st_mode):
                    member.type = tarfile.DIRTYPE
                    archive.addfile(member)
                elif stat.S_ISLNK(status.st_mode):
                    member.type, member.mode = tarfile.SYMTYPE, 0o777
                    member.linkname = os.readlink(file)
                    archive.addfile(member)
                else:
                    member.size = status.st_size
                    archive.addfile(member, io.BytesIO(Path(file).read_bytes()))
        assert tar_of(path) == expected.getvalue()


def size(path: Path) -> int:
    """The bytes that count for a layer."""
    return measure(str(path)).content


def test_sizes_do_not_depend_on_the_file_system(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "many").mkdir(parents=True)
    (folder / "many/file").write_bytes(b"12345")
    (folder / "link").symlink_to("many")
    assert size(folder) == 5 + len("many")
    assert size(folder / "many/file") == 5
    assert size(folder / "link") == len("many")


def test_files_larger_than_a_chunk(tmp_path: Path) -> None:
    content = bytes(range(256)) * (CHUNK // 100)
    path = tmp_path / "large"
    for more in (0, 1, BLOCK - 1):
        path.write_bytes(content + b"z" * more)
        tar = tar_of(path)
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            file = archive.extractfile(str(path).lstrip("/"))
            assert file is not None
            assert hashlib.sha256(file.read()).digest() == (
                hashlib.sha256(path.read_bytes()).digest()
            )


def test_a_file_that_becomes_shorter_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store_path(tmp_path, NAMES[0], list(FILES))
    header_of = layer_tar.header_of

    def shortened(file: str, status: os.stat_result) -> bytes:
        if file.endswith("module.py"):
            Path(file).chmod(0o644)
            Path(file).write_bytes(b"x")
        return header_of(file, status)

    monkeypatch.setattr(layer_tar, "header_of", shortened)
    with pytest.raises(ImageError, match="module.py became shorter while it was read"):
        tar_of(path)


@given(
    name=ANY_NAME.filter(bool),
    link=ANY_NAME,
    mode=st.integers(0, 0o7777),
    length=st.integers(0, 2**40),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE]),
)
def test_headers_are_those_of_tarfile(
    name: str, link: str, mode: int, length: int, kind: bytes
) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.linkname = mode, kind, length, link
    entry.mtime = layer_tar.STORE_MTIME
    expected = entry.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    assert layer_tar.header(name, mode, kind, length, link) == expected
