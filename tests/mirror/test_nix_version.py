"""Versions of Nix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nix_version
import pytest
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st

NUMBER = st.integers(0, 99)


@given(NUMBER, NUMBER, st.sampled_from(["", ".0", ".3", "pre20250115_0a1", "-dirty"]))
def test_versions(major: int, minor: int, rest: str) -> None:
    text = f"nix (Nix) {major}.{minor}{rest}\n"
    assert nix_version.parse(text) == (major, minor)


@given(st.text())
def test_any_text(text: str) -> None:
    version = nix_version.parse(text)
    assert version is None or len(version) == 2


def test_what_prints_no_version_is_not_refused(
    program: Callable[[str, str], Path],
) -> None:
    program("nix", "print('nix (Nix) unstable')")
    nix_version.check(os.environ)


def test_without_nix(programs: Path) -> None:
    with pytest.raises(MirrorError, match="^no nix on this machine: apt-get install"):
        nix_version.check(os.environ)
