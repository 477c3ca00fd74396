"""The lines about values that are not allowed."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from .conftest import load_module
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def errors() -> ModuleType:
    """The module of the errors."""
    module: ModuleType = load_module("setting_errors")
    return module


class Unprintable(Exception):
    """An exception whose message cannot be made."""

    def __str__(self) -> str:
        raise OSError("no message")


def test_examples(errors: ModuleType) -> None:
    result = doctest.testmod(errors)
    assert (result.attempted, result.failed) == (2, 0)


def test_errors_of_syntax_are_told_without_their_place(errors: ModuleType) -> None:
    with pytest.raises(SyntaxError) as raised:
        compile("a b", "somewhere.py", "exec")
    assert errors.describe(raised.value) == "SyntaxError: invalid syntax"


def test_errors_without_a_message(errors: ModuleType) -> None:
    assert errors.describe(KeyboardInterrupt()) == "KeyboardInterrupt"
    told = "Unprintable: its message cannot be printed"
    assert errors.describe(Unprintable()) == told


@given(st.text())
def test_a_line_is_a_line(errors: ModuleType, text: str) -> None:
    told = errors.describe(ValueError(text))
    assert len(told.splitlines()) == 1
    assert told.startswith("ValueError")
