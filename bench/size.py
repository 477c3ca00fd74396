"""Sizes of the production image and of its peer."""

from __future__ import annotations

import tempfile
from pathlib import Path

from edit import saved
from images import gzipped, raw, read_image, zstandard
from programs import given
from measurement import Row


def measure(peer: str) -> list[Row]:
    """Rows of sizes. peer: the name of the peer's image."""
    ours = given("APP_EXAMPLE_IMAGE")
    with tempfile.TemporaryDirectory() as scratch:
        theirs = saved(peer, Path(scratch))
        image, other = read_image(ours), read_image(theirs)
        against = "Dockerfile on slim Debian"
        aim = "≤ 0.35, better ≤ 0.25"
        return [
            Row("production image", raw(image), "B", against, raw(other), aim),
            Row("the same, gzip", gzipped(image), "B", against, gzipped(other)),
            Row(
                *("the same, zstd", zstandard(ours), "B"),
                *(against, zstandard(theirs), aim),
            ),
        ]
