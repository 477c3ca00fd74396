"""Each Python that a project can ask for, on the C library of its own release."""

from __future__ import annotations

import json
import re

import pytest

from .conftest import Project, run

PYPROJECT = """\
[tool.poetry]
name = "application"
version = "0.1.0"
package-mode = false

[tool.poetry.dependencies]
python = ">=3.9.2"
websockets = "*"
"""

FACTS = """\
import bz2, ctypes, json, lzma, os, platform, sqlite3, ssl, sys, uuid, zoneinfo
import websockets.speedups
print(json.dumps({
    "version": platform.python_version(),
    "library": os.confstr("CS_GNU_LIBC_VERSION"),
    "extension": websockets.speedups.__file__.rpartition("/")[2],
    "prefix": sys.prefix,
}))
"""


def locked(lock: str, name: str) -> str:
    """A package's part of a poetry.lock, and no metadata but the format."""
    parts = re.split(r"(?m)^(?=\[\[package\]\]|\[metadata\])", lock)
    (part,) = [part for part in parts if f'\nname = "{name}"\n' in part]
    return part + '[metadata]\nlock-version = "2.0"\n'


@pytest.mark.parametrize(
    "python, version, library",
    [
        ("python39", "3.9.", "glibc 2.31"),
        ("python311", "3.11.", "glibc 2.36"),
        ("python313", "3.13.", "glibc 2.41"),
    ],
)
def test_an_environment_of_every_python(
    project: Project, python: str, version: str, library: str
) -> None:
    lock = (project.base / "nix/checks/poetry.lock").read_text(encoding="utf-8")
    (project.folder / "poetry.lock").write_text(locked(lock, "websockets"))
    (project.folder / "pyproject.toml").write_text(PYPROJECT)
    project.write_flake(f'{{ projectDir = ./.; python = "{python}"; }}')
    environment = project.build(".#application.environment")
    program = f"{environment}/bin/python"
    facts = json.loads(run(project.folder, program, "-I", "-c", FACTS).stdout)
    assert facts["version"].startswith(version)
    assert facts["library"] == library
    assert f"cpython-{version.replace('.', '')}-" in facts["extension"]
    assert facts["prefix"] == str(environment)
