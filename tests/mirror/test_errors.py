"""What is shown on a terminal is one line of letters."""

from __future__ import annotations

import pytest
from errors import MirrorError, one_line
from hypothesis import given
from hypothesis import strategies as st


@given(st.text())
def test_any_text_is_one_line_of_letters(text: str) -> None:
    line = one_line(text)
    assert len(line) == len(text)
    assert all(letter.isprintable() for letter in line)
    assert one_line(line) == line


@pytest.mark.parametrize(
    "text, line",
    [
        ("naïve – 日本", "naïve – 日本"),
        ("\x1b[2J\x07\x9b1m", "?[2J??1m"),
        ("a\nb\r", "a?b?"),
        ("\u202egnp.exe", "?gnp.exe"),
        ("half \udce2", "half ?"),
    ],
)
def test_what_moves_the_cursor_or_turns_letters_around(text: str, line: str) -> None:
    assert str(MirrorError(text)) == line
