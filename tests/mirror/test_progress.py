"""How far fetching is."""

from __future__ import annotations

import io
import sys
from typing import Optional

import machine
import progress
import pytest
from locked_file import LockedFile


def file(size: Optional[int]) -> LockedFile:
    return LockedFile("debian", "a", "0" * 64, "a", size=size)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("size", [10, None])
def test_a_terminal_gets_a_bar(
    size: Optional[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_importable = []
    monkeypatch.setattr(machine, "import_pip", lambda: made_importable.append(1))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.shown([file(size)]) as telling:
        if size is None:
            telling.expects(10)
        telling.came(15)
        telling.came(-5)
        telling.file_done()
    assert made_importable
    assert "1/1 files" in terminal.getvalue() and "10/10 bytes" in terminal.getvalue()


def test_a_log_gets_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    for sizes in ([1500000, 500000], [None, 1500000]):
        with progress.shown([file(size) for size in sizes]) as telling:
            telling.expects(10)
            telling.came(10)
            telling.file_done()
    assert capfd.readouterr() == (
        "",
        "mirror: fetching 2 files, 2.0 MB\nmirror: fetching 2 files\n",
    )
