"""How images are told where to listen."""

from __future__ import annotations

import doctest

import start


def test_examples() -> None:
    result = doctest.testmod(start)
    assert result.attempted and not result.failed
