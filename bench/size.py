"""Sizes of the production image and of its peers."""

from __future__ import annotations

import tempfile
from pathlib import Path

from daemon import saved
from images import gzipped, raw, read_image, zstandard
from peer import PEERS
from programs import given
from measurement import Row

PROGRAMS = ("gzip", "zstd")


def measure() -> list[Row]:
    """Rows of sizes; the peers' images are there."""
    ours = given("APP_EXAMPLE_IMAGE")
    image, archive = read_image(ours), zstandard(ours)
    rows: list[Row] = []
    aim = "≤ 0.35, better ≤ 0.25"
    with tempfile.TemporaryDirectory() as scratch:
        for peer in PEERS:
            theirs = saved(peer.image, Path(scratch))
            other = read_image(theirs)
            rows += [
                Row(
                    *("production image", raw(image), "B"),
                    *(peer.label, raw(other), peer.aim(aim)),
                ),
                Row("the same, gzip", gzipped(image), "B", peer.label, gzipped(other)),
                Row(
                    *("the same, zstd", archive, "B"),
                    *(peer.label, zstandard(theirs), peer.aim(aim)),
                ),
            ]
    return rows
