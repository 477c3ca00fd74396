"""The Pythons that README.md and the example's Dockerfile name are the locked ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TAG = re.compile(r"uvicorn-gunicorn-poetry:python([0-9]+(?:\.[0-9]+)+)")


def locked_versions() -> set[str]:
    """The upstream versions of the Pythons that nix/mirror/debian/lock.json has."""
    sets = json.loads((ROOT / "nix/mirror/debian/lock.json").read_text())
    return {
        package["version"].rpartition("-")[0]
        for packages in sets.values()
        for package in packages
        if re.fullmatch(r"python3\.[0-9]+", package["package"])
    }


def test_the_readme_names_each_locked_python() -> None:
    assert set(TAG.findall((ROOT / "README.md").read_text())) == locked_versions()


def test_the_dockerfile_names_locked_pythons() -> None:
    text = (ROOT / "app-example/Dockerfile").read_text()
    assert set(TAG.findall(text)) <= locked_versions()
