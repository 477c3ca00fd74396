"""Sizes of images, and what an edit moves, of archives made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from images import gzipped, manifest_size, moved, name_of, raw, read_image

from bench_archives import CONFIGURATION, write_archive


@pytest.fixture
def layers() -> list[bytes]:
    return [b"a" * 30_000, b"b" * 2_000]


def test_sizes(tmp_path: Path, layers: list[bytes]) -> None:
    image = read_image(write_archive(tmp_path / "image.tar", layers))
    assert raw(image) == 32_000
    assert 0 < gzipped(image) < 1_000


def test_name(tmp_path: Path, layers: list[bytes]) -> None:
    assert name_of(write_archive(tmp_path / "image.tar", layers)) == "a:b"


def test_an_edit_moves_the_new_layer_and_what_names_it(
    tmp_path: Path, layers: list[bytes]
) -> None:
    before = read_image(write_archive(tmp_path / "before.tar", layers))
    edited = [layers[0], b"c" * 2_100]
    after = read_image(write_archive(tmp_path / "after.tar", edited))
    stored, sent = moved(before, after)
    assert stored == 2_100 + len(CONFIGURATION)
    assert sent == (
        after.layers[1].compressed + len(CONFIGURATION) + manifest_size(after)
    )
    assert moved(before, before)[0] == len(CONFIGURATION)
