"""The checks' modules can be imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).parents[2] / "nix/checks"
sys.path += [str(CHECKS), str(CHECKS / "reproducibility")]

PATH = os.environ["PATH"]


@pytest.fixture(autouse=True)
def programs_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that were there when the tests were collected."""
    monkeypatch.setenv("PATH", PATH)
