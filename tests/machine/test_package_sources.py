"""The source nixpkgs with poetry2nix: its lock, and mistakes that the check `nixpkgs` finds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .conftest import run

CHECK = ".#checks.x86_64-linux.nixpkgs.drvPath"


def nix(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run Nix without ./mirror; whatever it tries to download fails at once."""
    closed = "http://127.0.0.1:9"
    environment = {
        **os.environ,
        "NIX_CONFIG": "experimental-features = nix-command flakes\nsubstituters =",
        **{name: closed for name in ("http_proxy", "https_proxy", "all_proxy")},
    }
    done: subprocess.CompletedProcess[str] = run(
        folder, "nix", *words, environment=environment
    )
    return done


def test_the_lock_is_complete(clone: Path) -> None:
    metadata = json.loads(nix(clone, "flake", "metadata", "--json").stdout)
    assert set(metadata["locks"]["nodes"]) == {"root", "nixpkgs", "poetry2nix"}
    nix(clone, "flake", "lock")
    assert run(clone, "git", "status", "--porcelain").stdout == ""


def replace(file: Path, old: str, new: str) -> None:
    """Change a file's text, which has `old` once."""
    text = file.read_text()
    assert text.count(old) == 1, f"{file}: {old}"
    file.write_text(text.replace(old, new))


def refusal(clone: Path) -> str:
    """What the check says as it fails to evaluate."""
    done = run(clone, "./mirror", "nix", "eval", "--raw", CHECK, check=False)
    assert done.returncode != 0
    return str(done.stderr)


@pytest.mark.parametrize(
    "file, old, new, told",
    [
        # arguments that there are not, and one too few
        (
            "nix/environment.nix",
            "preferWheels = true;",
            "preferWheel = true;",
            "called with unexpected argument 'preferWheel'",
        ),
        (
            "nix/image.nix",
            "includeStorePaths = false;",
            "withStorePaths = false;",
            "called with unexpected argument 'withStorePaths'",
        ),
        (
            "nix/checks/units.nix",
            'runCommand "units" { }',
            'runCommand "units"',
            "checks.units is no derivation",
        ),
        # development dependencies in production
        (
            "app-example/pyproject.toml",
            "[tool.poetry.group.dev.dependencies]",
            "[tool.poetry.dev-dependencies]",
            "has the table tool.poetry.dev-dependencies, which poetry2nix takes for",
        ),
        (
            "nix/environment.nix",
            "  checkGroups = [ ];\n",
            "",
            "app-example, production environment: it has pytest, a development",
        ),
        # a Python beside the package set's
        (
            "nix/environment.nix",
            "inherit projectDir python groups extras;",
            "inherit projectDir groups extras; python = python.override {"
            ' sourceVersion = { major = "3"; minor = "9"; patch = "9"; suffix = ""; }; };',
            "the Python 3.9.9 is not the package set's python39 3.9.8",
        ),
        (
            "flake.nix",
            "overlays = [ (import ./nix/python.nix) ];",
            "overlays = [ ];",
            "the platform's Python is python3.9.22",
        ),
        # what poetry2nix does not read, or gets wrong by itself
        (
            "app-example/pyproject.toml",
            "[tool.black]",
            "[project]\ndependencies = []\n\n[tool.black]",
            "app-example/pyproject.toml: poetry2nix reads no [project]",
        ),
        (
            "nix/poetry2nix.nix",
            "builtins.filter fits package.files",
            "package.files",
            "unknown platform tag",
        ),
        (
            "nix/poetry2nix.nix",
            '[ "jeepney" "poetry" ]',
            "[ ]",
            "poetry, production environment: it lacks poetry",
        ),
        # a name that nobody has looked up
        ("nix/INTERFACE.md", "`cacert`", "cacert", "what is relied on of cacert"),
    ],
)
def test_mistakes_are_caught(
    clone: Path, file: str, old: str, new: str, told: str
) -> None:
    replace(clone / file, old, new)
    assert told in refusal(clone)


def test_the_genuine_sources_are_paths(clone: Path) -> None:
    stand_in = clone / "nix/checks/stand_in"
    report = run(
        clone,
        *("./mirror", "nix", "eval", "--impure", "--raw"),
        *("--file", "nix/checks/evaluation.nix"),
        *("--argstr", "nixpkgs", str(stand_in / "nixpkgs")),
        *("--argstr", "poetry2nix", str(stand_in / "poetry2nix"), "report"),
    ).stdout
    assert (
        "outputs evaluate to derivations:\npackages.app-example /nix/store/" in report
    )
    assert "\napp-example, production: " in report and "fastapi 0.70.0, " in report
