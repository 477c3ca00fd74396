"""Files on this machine, read within limits."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import local_file
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transport import Fault


@given(size=st.integers(0, 3), chunk=st.integers(1, 3), limit=st.integers(0, 3))
def test_a_file_is_read_whole_or_refused(
    size: int, chunk: int, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "file"
    path.write_bytes(b"x" * size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_file, "CHUNK", chunk)
        if size <= limit:
            assert local_file.read(path, limit) == b"x" * size
        else:
            with pytest.raises(Fault, match=f"^has more than {limit} bytes$"):
                local_file.read(path, limit)


def test_a_file_that_hides_its_size_is_read_to_the_limit() -> None:
    path = Path("/proc/self/status")
    assert path.stat().st_size == 0
    assert local_file.read(path, 1 << 20).startswith(b"Name:")
    with pytest.raises(Fault, match="^has more than 10 bytes$"):
        local_file.read(path, 10)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, make_socket, lambda path: path.symlink_to("/dev/zero")],
    ids=["FIFO", "folder", "socket", "device"],
)
@pytest.mark.parametrize("linked", [True, False])
def test_what_is_not_a_regular_file(
    make: Callable[[Path], None],
    linked: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "odd"
    make(path)
    if linked:
        (tmp_path / "link").symlink_to(path)
        path = tmp_path / "link"
    with pytest.raises(Fault, match="^is not a regular file$"):
        local_file.read(path, 10)


def test_a_fifo_that_took_the_place_of_a_file_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    regular = os.stat_result([stat.S_IFREG] + [0] * 9)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: regular)
        with pytest.raises(Fault, match="^is not a regular file$"):
            local_file.read(tmp_path / "fifo", 10)


@pytest.mark.parametrize(
    "name, message, missing",
    [
        ("nowhere", "No such file or directory", True),
        ("file/below", "Not a directory", True),
        ("loop", "Too many levels of symbolic links", False),
        ("a\0b", "is not a path", False),
    ],
)
def test_what_cannot_be_read(
    name: str, message: str, missing: bool, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(Fault, match=f"^{message}$") as caught:
        local_file.read(tmp_path / name, 10)
    assert caught.value.missing is missing
