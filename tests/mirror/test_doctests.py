"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    *("command_line", "needed_files", "nix_command", "package_index", "lock"),
    *("write_image", "build_wheel", "distribution_files", "locked_packages"),
]


@pytest.mark.parametrize("name", [*MODULES, "virtual_environment"])
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed
