"""The folder that `./mirror archive` writes, and what is taken from one."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import archive
import download
import healing
import pytest
from download import Fetcher
from errors import AbsentFiles, MirrorError
from locked_file import LockedFile
from mirror_site import Site, sha256

CONTENT = {name: f"the file {name}".encode() for name in ("a", "b")}

pytestmark = pytest.mark.usefixtures("pip_alone", "programs")


class Files:
    """Stands for closure.Closure; what it needs, whatever is asked for."""

    files: list[LockedFile] = []
    note = ""

    def __init__(self, installables: Any, base: Any) -> None:
        """See Closure."""

    def locked_files(self) -> list[LockedFile]:
        """See Closure."""
        return self.files


@pytest.fixture
def base(site: Site) -> dict[str, str]:
    """An environment with one Debian mirror, which has all files."""
    for name, content in CONTENT.items():
        site.answers[f"/debian/{name}.deb"] = content
    return {**os.environ, "MIRROR_DEBIAN": f"{site.url}/debian"}


@pytest.fixture
def files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: dict[str, str]
) -> list[LockedFile]:
    """What is needed: `a` is in the store, of `b` only a member."""
    (tmp_path / "store").mkdir()
    found = [
        LockedFile(
            *("member" if name == "b" else "debian", f"{name}.deb"),
            *(sha256(content), f"{name}.deb"),
            store_path=str(tmp_path / "store" / name),
        )
        for name, content in CONTENT.items()
    ]
    (tmp_path / "store/a").write_bytes(CONTENT["a"])
    (tmp_path / "store/b").mkdir()
    monkeypatch.setattr(Files, "files", found)
    monkeypatch.setattr(archive, "Closure", Files)
    return found


def written(folder: Path) -> dict[str, bytes]:
    """The files of an archive by their hashes."""
    return {path.name: path.read_bytes() for path in (folder / "sha256").iterdir()}


EXPECTED = {sha256(content): content for content in CONTENT.values()}


def test_all_files_and_an_index(
    files: list[LockedFile], base: dict[str, str], tmp_path: Path, site: Site
) -> None:
    folder = tmp_path / "archive"
    archive.write(str(folder), [], base)
    assert written(folder) == EXPECTED
    assert [path for path, _ in site.requests] == ["/debian/b.deb"]
    index = json.loads((folder / "index.json").read_text())
    assert index["files"][0] == {
        "name": "a.deb",
        "kind": "debian",
        "location": "a.deb",
        "sha256": sha256(CONTENT["a"]),
        "size": len(CONTENT["a"]),
    }


def test_what_is_there_stays(
    files: list[LockedFile],
    base: dict[str, str],
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "archive"
    archive.write(str(folder), [], base)
    site.answers.clear()
    before = {path: path.stat().st_ino for path in (folder / "sha256").iterdir()}
    monkeypatch.setattr(Files, "files", files[1:])
    archive.write(str(folder), [], base)
    assert {
        path: path.stat().st_ino for path in (folder / "sha256").iterdir()
    } == before
    index = json.loads((folder / "index.json").read_text())
    assert len(index["files"]) == 2


def test_another_content_is_replaced_and_said(
    files: list[LockedFile],
    base: dict[str, str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "archive"
    archive.write(str(folder), [], base)
    (folder / "sha256" / files[0].sha256).write_bytes(b"other")
    archive.write(str(folder), [], base)
    assert written(folder) == EXPECTED
    assert "has another hash: replaced" in capfd.readouterr().err


def test_a_store_path_with_another_content_does_not_count(
    files: list[LockedFile], base: dict[str, str], tmp_path: Path
) -> None:
    Path(files[0].store_path).write_bytes(b"other")
    archive.write(str(tmp_path / "archive"), [], base)
    assert written(tmp_path / "archive") == EXPECTED


def test_what_is_on_no_mirror(
    files: list[LockedFile], base: dict[str, str], tmp_path: Path, site: Site
) -> None:
    site.answers["/debian/b.deb"] = b"other"
    with pytest.raises(MirrorError, match="^b.deb .* is on no mirror"):
        archive.write(str(tmp_path / "archive"), [], base)
    assert list(written(tmp_path / "archive")) == [files[0].sha256]
    assert not (tmp_path / "archive/index.json").exists()


def test_a_folder_that_cannot_be_written(
    files: list[LockedFile], base: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MirrorError, match="file cannot be written .*: free some space"):
        archive.write(str(tmp_path / "file"), [], base)


def test_another_index(
    files: list[LockedFile], base: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive/index.json").write_text("[]")
    with pytest.raises(MirrorError, match="is not the index of an archive: rm "):
        archive.write(str(tmp_path / "archive"), [], base)


@pytest.fixture
def archived(tmp_path: Path) -> Path:
    """An archive of the file `a`."""
    folder = tmp_path / "archive"
    (folder / "sha256").mkdir(parents=True)
    (folder / "sha256" / sha256(CONTENT["a"])).write_bytes(CONTENT["a"])
    return folder


def locked(kind: str, name: str) -> LockedFile:
    return LockedFile(kind, name, sha256(CONTENT[name]), name, project=name)


@pytest.mark.parametrize("kind", ["debian", "pypi"])
def test_an_archive_is_asked_before_any_mirror(
    kind: str, archived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_index(base: Any) -> None:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(download, "Index", no_index)
    base = {"MIRROR_FILES": f"{tmp_path}/absent {archived}"}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(locked(kind, "a")).read_bytes() == CONTENT["a"]


def test_an_archive_on_the_web(archived: Path, tmp_path: Path, site: Site) -> None:
    site.answers[f"/x/sha256/{sha256(CONTENT['a'])}"] = CONTENT["a"]
    base = {**os.environ, "MIRROR_FILES": f"{site.url}/x/"}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(locked("debian", "a")).read_bytes() == CONTENT["a"]


def test_what_an_archive_lacks_comes_from_the_mirrors(
    archived: Path, base: dict[str, str], tmp_path: Path
) -> None:
    base["MIRROR_FILES"] = str(archived)
    file = LockedFile("debian", "b.deb", sha256(CONTENT["b"]), "b.deb")
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(file).read_bytes() == CONTENT["b"]


def test_an_archive_with_another_content_is_passed_over(
    archived: Path, base: dict[str, str], tmp_path: Path
) -> None:
    (archived / "sha256" / sha256(CONTENT["a"])).write_bytes(b"other")
    base["MIRROR_FILES"] = str(archived)
    file = LockedFile("debian", "a.deb", sha256(CONTENT["a"]), "a.deb")
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(file).read_bytes() == CONTENT["a"]
        assert len(fetcher.notes) == 1


def test_a_pin_that_no_mirror_has_any_more_is_replaced(
    files: list[LockedFile],
    base: dict[str, str],
    tmp_path: Path,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = site.answers.pop("/debian/b.deb")
    healed: list[AbsentFiles] = []

    def heal(error: AbsentFiles, base: Any) -> None:
        healed.append(error)
        site.answers["/debian/b.deb"] = content

    monkeypatch.setattr(healing, "heal", heal)
    archive.write(str(tmp_path / "archive"), [], base)
    assert [one.file for one in healed[0].absent] == files[1:]
    assert written(tmp_path / "archive") == EXPECTED
