"""What an image's Python has to have of the standard library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "nix"))

import standard_library  # noqa: E402


class Lacks:
    """A finder (importlib) by which a module is not there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def find_spec(self, name: str, *ignored: object) -> "ModuleSpec | None":
        """See importlib.abc.MetaPathFinder."""
        if name == self.name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The module that this Python lacks for one test."""
    monkeypatch.delitem(sys.modules, "_decimal", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Lacks("_decimal"), *sys.meta_path])
    yield "_decimal"


def test_a_missing_accelerator_is_found(without: str) -> None:
    assert list(standard_library.failures(["json", without, "decimal"])) == [
        "_decimal: No module named '_decimal'"
    ]


def test_what_later_pythons_removed() -> None:
    assert "distutils" in standard_library.expected((3, 9))
    assert "distutils" not in standard_library.expected((3, 12))
    assert "cgi" in standard_library.expected((3, 12))
    assert "cgi" not in standard_library.expected((3, 13))


def test_each_module_is_listed_once() -> None:
    names = standard_library.expected((3, 9))
    assert len(names) == len(set(names)) > 200
