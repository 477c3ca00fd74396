"""What is removed of an installed wheel."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs_of_windows import executable
from wheel_exclusions import WheelExclusions

EXCLUSIONS = WheelExclusions(["*.exe"], ["tests"], [])
FILES = {
    "bin/launcher.exe": executable(),
    "lib/site-packages/thing/__init__.py": b"",
    "lib/site-packages/thing/cli.EXE": executable(wide=False),
    "lib/site-packages/thing/assembly.exe": executable(clr=0x2000),
    "lib/site-packages/thing/library.dll": executable(),
    "lib/site-packages/thing/script.exe": b"#!/bin/sh\n",
    "lib/site-packages/thing/tests/test_a.py": b"",
    "lib/site-packages/thing/tests/data/deep/a.json": b"{}",
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A wheel, installed."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def names(prefix: Path) -> set[str]:
    """The files and folders there."""
    return {str(path.relative_to(prefix)) for path in prefix.rglob("*")}


def test_what_is_removed_is_returned(prefix: Path) -> None:
    before = names(prefix)
    gone = EXCLUSIONS.remove(prefix, prefix / "lib/site-packages")
    assert {str(path.relative_to(prefix)) for path in gone} == {
        "bin/launcher.exe",
        "lib/site-packages/thing/cli.EXE",
        "lib/site-packages/thing/tests/data/deep/a.json",
        "lib/site-packages/thing/tests/test_a.py",
    }
    folders = {"tests", "tests/data", "tests/data/deep"}
    assert before - names(prefix) == {
        *(str(path.relative_to(prefix)) for path in gone),
        *(f"lib/site-packages/thing/{folder}" for folder in folders),
    }


def test_an_empty_table_removes_nothing(prefix: Path) -> None:
    before = names(prefix)
    assert WheelExclusions().remove(prefix, prefix / "lib/site-packages") == []
    assert names(prefix) == before


def test_a_table_of_nix() -> None:
    text = '{"judged_suites":[],"suites":["tests"],"windows_programs":["*.exe"]}'
    assert WheelExclusions.from_json(text) == EXCLUSIONS
    for wrong in ("", "[]", '{"other": []}'):
        with pytest.raises((TypeError, ValueError)):
            WheelExclusions.from_json(wrong)
