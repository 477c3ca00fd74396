"""The bench's modules can be imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parents[1] / "bench")]

PATH = os.environ["PATH"]


@pytest.fixture(autouse=True)
def programs_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs that were there when the tests were collected."""
    monkeypatch.setenv("PATH", PATH)
