"""The peers, as their Dockerfiles and the table have them."""

from __future__ import annotations

import doctest
from pathlib import Path

import peer
from peer import PEERS, POETRY_LOCK, POETRY_PACKAGES, locked

ROOT = Path(__file__).parents[2]


def test_examples() -> None:
    result = doctest.testmod(peer)
    assert result.attempted and not result.failed


def test_aims_are_of_what_is_succeeded() -> None:
    assert [one.aim("≤ 1") for one in PEERS] == ["≤ 1", ""]


def test_peers_share_the_layers_below() -> None:
    texts = [(ROOT / "bench/peer" / one.dockerfile).read_text() for one in PEERS]
    below = {text[text.index("ARG") : text.index("ENV")] for text in texts}
    servers = {text[text.index("CMD") :] for text in texts}
    assert len(below) == len(servers) == 1


def test_poetry_is_the_one_of_the_platform_image() -> None:
    (poetry, plugin) = locked((ROOT / POETRY_LOCK).read_text(), POETRY_PACKAGES)
    assert poetry.startswith("poetry==") and plugin.count("==") == 1
