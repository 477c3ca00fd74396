"""Executables out of Debian packages, and files into the store."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import store
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st
from locked_file import LockedFile
from mirror_site import make_deb

Program = Callable[[str, str], Path]


@pytest.mark.parametrize("compression", ["xz", "gz"])
@pytest.mark.parametrize("path", ["bin/busybox", "usr/bin/busybox"])
def test_a_member(path: str, compression: str, tmp_path: Path) -> None:
    files = {"bin/other": b"no", path: b"yes", "usr/lib/bin/busybox": b"no"}
    deb = make_deb(tmp_path / "a.deb", files, compression)
    store.extract_member(deb, "bin/busybox", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["bin", "busybox"]
    assert (tmp_path / "out/bin/busybox").read_bytes() == b"yes"
    assert os.access(tmp_path / "out/bin/busybox", os.X_OK)


def test_a_member_that_is_not_there(tmp_path: Path) -> None:
    deb = make_deb(tmp_path / "a.deb", {"bin/other": b""})
    with pytest.raises(
        MirrorError, match="a.deb does not contain bin/busybox: ./mirror lock$"
    ):
        store.extract_member(deb, "bin/busybox", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.binary(max_size=200), st.integers(0, 400), st.integers(0, 255))
def test_a_broken_package_is_an_error_in_one_line(
    tail: bytes, place: int, byte: int
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deb = make_deb(folder / "a.deb", {"bin/busybox": b"yes"})
        content = bytearray(deb.read_bytes())
        content[place % len(content)] = byte
        deb.write_bytes(bytes(content[: place + 1]) + tail)
        try:
            store.extract_member(deb, "bin/busybox", folder / "out")
        except MirrorError as error:
            assert "\n" not in str(error) and "./mirror lock" in str(error)
            assert not (folder / "out").exists()


FAKE_STORE = """
for word in arguments:
    if word.startswith('/'):
        print('/nix/store/0-' + os.path.basename(word))
"""


def pairs(tmp_path: Path) -> list[tuple[LockedFile, Path]]:
    files = []
    for kind, name in (("debian", "a.deb"), ("member", "busybox"), ("pypi", "b.whl")):
        file = LockedFile(kind, name, "", "", store_path=f"/nix/store/0-{name}")
        files.append((file, tmp_path / name))
    return files


def test_adding(program: Program, tmp_path: Path) -> None:
    log = program("nix-store", FAKE_STORE).with_name("nix-store.log")
    store.add(pairs(tmp_path), os.environ)
    flat, recursive = map(json.loads, log.read_text().splitlines())
    assert flat == [
        "--add-fixed",
        "sha256",
        *(str(tmp_path / n) for n in ("a.deb", "b.whl")),
    ]
    assert recursive[:2] == ["--recursive", "--add-fixed"]
    store.add([], os.environ)
    assert len(log.read_text().splitlines()) == 2


def test_adding_what_the_store_names_otherwise(
    program: Program, tmp_path: Path
) -> None:
    program("nix-store", "print('/nix/store/1-a.deb')")
    with pytest.raises(MirrorError, match="^a.deb became /nix/store/1-a.deb, not"):
        store.add(pairs(tmp_path)[:1], os.environ)


def test_a_store_that_refuses(program: Program, tmp_path: Path) -> None:
    program("nix-store", "sys.exit('warning: a\\nerror: odd\\n(use --show-trace)')")
    with pytest.raises(
        MirrorError, match="^the Nix store refuses files .error: odd.: f"
    ):
        store.add(pairs(tmp_path), os.environ)
    with pytest.raises(MirrorError, match="^the Nix store cannot be read: error: odd$"):
        store.lacking([file for file, _ in pairs(tmp_path)], os.environ)


def test_a_store_without_room(program: Program, tmp_path: Path) -> None:
    program("nix-store", "sys.exit('error: writing: No space left on device')")
    with pytest.raises(MirrorError, match="nix-collect-garbage, and run this again$"):
        store.add(pairs(tmp_path), os.environ)


def test_what_the_store_lacks(program: Program, tmp_path: Path) -> None:
    program("nix-store", "print(arguments[-1])")
    files = [file for file, _ in pairs(tmp_path)]
    assert store.lacking(files, os.environ) == files[-1:]
    assert store.lacking([], os.environ) == []


def test_without_a_store(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match="^no nix-store on this machine: apt-get"):
        store.add(pairs(tmp_path), os.environ)
