"""New releases of a wheel, and locks that name them."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import tomli
from measurement import BenchError
from releases import release, relocked

METADATA = b"Metadata-Version: 2.1\nName: a-b\nVersion: 1.0\n\nVersion: of a text\n"
LOCK = """\
[[package]]
name = "a-b"
version = "1.0"
description = "An example [of text]"
optional = false
files = [
    {file = "a_b-1.0-py3-none-any.whl", hash = "sha256:00"},
    {file = "a_b-1.0.tar.gz", hash = "sha256:00"},
]

[package.extras]
more = ["c"]

[[package]]
name = "c"
version = "2.0"
files = [
    {file = "c-2.0-py3-none-any.whl", hash = "sha256:00"},
]

[metadata]
lock-version = "2.0"
"""


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "a_b-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a_b/__init__.py", "answer = 42\n")
        archive.writestr("a_b-1.0.dist-info/METADATA", METADATA)
        archive.writestr("a_b-1.0.dist-info/RECORD", "")
    return path


def test_a_release_differs_in_its_version_alone(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    path = release(wheel, "1.7", tmp_path / "new")
    assert path.name == "a_b-1.7-py3-none-any.whl"
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert content["a_b/__init__.py"] == b"answer = 42\n"
    metadata = content["a_b-1.7.dist-info/METADATA"]
    assert metadata == METADATA.replace(b"Version: 1.0", b"Version: 1.7")
    record = csv.reader(io.StringIO(content["a_b-1.7.dist-info/RECORD"].decode()))
    recorded = {name: (digest, size) for name, digest, size in record}
    assert set(recorded) == set(content)
    for name, (digest, size) in recorded.items():
        if digest:
            encoded = urlsafe_b64encode(hashlib.sha256(content[name]).digest())
            assert digest == "sha256=" + encoded.decode().rstrip("=")
            assert int(size) == len(content[name])


def test_a_lock_has_the_release_and_all_else_as_before(wheel: Path) -> None:
    before, after = tomli.loads(LOCK), tomli.loads(relocked(LOCK, "a-b", wheel, "1.7"))
    package = after["package"][0]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert package.pop("version") == "1.7"
    assert package.pop("files") == [{"file": wheel.name, "hash": f"sha256:{digest}"}]
    del before["package"][0]["version"], before["package"][0]["files"]
    assert after == before


def test_releases_follow_each_other(wheel: Path) -> None:
    twice = relocked(relocked(LOCK, "a-b", wheel, "1.7"), "a-b", wheel, "1.8")
    assert twice == relocked(LOCK, "a-b", wheel, "1.8")


@pytest.mark.parametrize(
    "lock", [LOCK, LOCK.replace("files = [", "files = []\nx = [", 1)]
)
def test_a_package_without_files_is_told(wheel: Path, lock: str) -> None:
    name = "none" if lock == LOCK else "a-b"
    with pytest.raises(BenchError, match=f"no files of {name}"):
        relocked(lock, name, wheel, "1.7")
