"""Programs of Windows, by headers made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs_of_windows import executable
from windows_programs import is_windows_program


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("directories", [16, 10])
def test_a_program_of_windows(wide: bool, directories: int) -> None:
    assert is_windows_program(executable(wide, directories))


@pytest.mark.parametrize("wide", [True, False])
def test_an_assembly_that_runs_on_linux_too(wide: bool) -> None:
    assert not is_windows_program(executable(wide, clr=0x2000))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MZ",
        b"#!/bin/sh\n",
        b"MZ" + bytes(200),
        executable().replace(b"PE", b"NE"),
    ],
)
def test_what_is_none(content: bytes) -> None:
    assert not is_windows_program(content)


def test_an_unknown_magic_number_is_none() -> None:
    assert not is_windows_program(executable().replace(b"\x0b\x02", b"\x07\x01", 1))


def test_this_python_is_none() -> None:
    assert not is_windows_program(Path(sys.executable).read_bytes())


@given(st.integers(0, 400), st.binary(max_size=300))
def test_any_content_is_a_program_or_not(length: int, tail: bytes) -> None:
    is_windows_program(tail)
    is_windows_program(executable()[:length] + tail)
