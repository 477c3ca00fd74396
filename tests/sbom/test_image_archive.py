"""Image archives, however their members are named."""

from __future__ import annotations

import doctest
import hashlib
import json
from pathlib import Path

import image_archive
import pytest
from components import IncompleteImage, components_of
from .conftest import WriteArchive
from hypothesis import given
from hypothesis import strategies as st
from image_archive import ImageArchive, normalized
from image_contents import read_image

SPELLINGS = ["./{}", "/{}", "{}"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_members_have_absolute_paths(
    spelling: str, write_archive: WriteArchive
) -> None:
    archive = write_archive(
        {spelling.format("nix/store/0-a/"): None, spelling.format("a"): b"1"},
        {spelling.format("nix/store/0-a/b"): b"2"},
    )
    members = [
        (member.path, member.layer, member.read() if member.info.isfile() else None)
        for member in ImageArchive(archive).members()
    ]
    assert members == [
        ("/nix/store/0-a", 0, None),
        ("/a", 0, b"1"),
        ("/nix/store/0-a/b", 1, b"2"),
    ]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_bill_has_the_store_paths(spelling: str, write_archive: WriteArchive) -> None:
    archive = write_archive({spelling.format("nix/store/0-python3/bin/python"): b""})
    found = components_of(read_image(archive), [], [], ["/nix/store/0-python3"])
    assert [one.key for one in found] == ["nix:0-python3"]


def test_a_bill_without_what_an_image_needs_is_an_error(
    write_archive: WriteArchive,
) -> None:
    archive = write_archive({"./nix/store/0-python3/bin/python": b""})
    required = ["/nix/store/0-python3", "/nix/store/1-glibc"]
    with pytest.raises(IncompleteImage, match="^no file of /nix/store/1-glibc is in"):
        components_of(read_image(archive), [], [], required)


def test_an_image_is_named_by_its_configuration(write_archive: WriteArchive) -> None:
    image = ImageArchive(write_archive({}))
    text = json.dumps(image.configuration).encode()
    assert image.digest == hashlib.sha256(text).hexdigest()


PARTS = st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1))


@given(PARTS, st.sampled_from(SPELLINGS), st.booleans())
def test_any_name(parts: list[str], spelling: str, is_folder: bool) -> None:
    name = spelling.format("/".join(parts)) + ("/" if is_folder else "")
    expected = [part for part in parts if part != "."]
    assert normalized(name) == "/" + "/".join(expected)


def test_examples() -> None:
    result = doctest.testmod(image_archive)
    assert result.attempted and not result.failed


def test_the_archive_stays_readable_in_the_middle(
    write_archive: WriteArchive, tmp_path: Path
) -> None:
    image = ImageArchive(write_archive({"a": b"1", "b": b"2"}))
    first = next(image.members())
    assert first.path == "/a"
    assert [member.path for member in image.members()] == ["/a", "/b"]
