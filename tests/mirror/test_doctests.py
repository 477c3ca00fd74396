"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = [
    *("cache", "debian_index", "debian_roots", "healing", "lock_check", "replacement"),
    *("address", "apt_configuration", "build_wheel", "command_line"),
    *("distribution_files", "download", "errors", "layer_choice", "locked_packages"),
    *("locked_file", "nix_log", "store_access"),
    *("needed_files", "nix_command", "nix_version", "package_index", "parallel"),
    *("program", "progress", "project_folder", "transport", "unread_suites"),
    *("write_image",),
]


@pytest.mark.parametrize("name", [*MODULES, "virtual_environment"])
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed
