"""The error of everything that reads pyproject.toml and poetry.lock."""

from __future__ import annotations


class ResolutionError(Exception):
    """The lock cannot be served; the message is one line: why, and what mends it."""
