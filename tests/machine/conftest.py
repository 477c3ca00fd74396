"""Fixtures: a clone of the repository to build in, on a machine with Docker."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def run(
    folder: Path, *words: str, check: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder; keeps both of its streams."""
    done = subprocess.run(
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the repository in which the tests were started."""
    top = run(Path.cwd(), "git", "rev-parse", "--show-toplevel").stdout.strip()
    run(tmp_path, "git", "clone", "--quiet", top, "clone")
    return tmp_path / "clone"
