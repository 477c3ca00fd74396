"""Which Debian releases an output needs: that of its Python, and that of the tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli

from .conftest import Project, run

TOOLS = "trixie"


def locked_suites(base: Path) -> dict[str, set[str]]:
    """The releases that have each locked package, by its SHA-256."""
    folder = base / "nix/mirror/debian"
    sets = tomli.loads((folder / "sets.toml").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for name, packages in json.loads((folder / "lock.json").read_text()).items():
        for package in packages:
            found.setdefault(package["sha256"], set()).add(sets[name]["suite"])
    return found


def debian_files(folder: Path, derivation: str) -> Iterator[tuple[str, str]]:
    """SHA-256 and location of all packages that building a derivation may ask for."""
    words = ["--extra-experimental-features", "nix-command", "show-derivation"]
    shown = run(folder, "nix", *words, "--recursive", derivation).stdout
    for described in json.loads(shown).values():
        file = json.loads(described["env"].get("mirrorFile", '{"kind": ""}'))
        if file["kind"] in ("debian", "member"):
            yield file["sha256"], file["location"]


def strangers(project: Project, installable: str, suites: set[str]) -> list[str]:
    """Packages that an output needs of other releases than these."""
    evaluated = project.mirror("eval", "--raw", f"{installable}.drvPath").stdout
    of_package = locked_suites(project.base)
    files = list(debian_files(project.folder, evaluated))
    assert len(files) > 30
    used = {suite for sha256, _ in files for suite in of_package[sha256] & suites}
    assert used == suites
    return sorted(where for sha256, where in files if not of_package[sha256] & suites)


# Each image, and the release of its Python.
IMAGES = {
    "app-example": "bullseye",
    "app-example-modern": TOOLS,
    "image": "bullseye",
    "image-full": "bullseye",
    "image-python311": "bookworm",
    "image-python311-full": "bookworm",
    "image-python313": TOOLS,
    "image-python313-full": TOOLS,
}


@pytest.mark.parametrize("attribute", ["", "load", "oci", "push", "sbom", "stream"])
@pytest.mark.parametrize("image, suite", IMAGES.items())
def test_an_image(project: Project, image: str, suite: str, attribute: str) -> None:
    installable = f"{project.base}#{image}" + (f".{attribute}" if attribute else "")
    assert strangers(project, installable, {suite, TOOLS}) == []


@pytest.mark.parametrize(
    "image, suite",
    [
        *(("image-full", "bullseye"), ("image-python311", "bookworm")),
        *(("image-python311-full", "bookworm"), ("image-python313-full", TOOLS)),
    ],
)
def test_a_platform_image(project: Project, image: str, suite: str) -> None:
    assert strangers(project, f"{project.base}#{image}", {suite, TOOLS}) == []


@pytest.mark.parametrize(
    "installable", ["checks.x86_64-linux.tests", "devShells.x86_64-linux.default"]
)
def test_a_project_on_the_tools_own_release(project: Project, installable: str) -> None:
    assert strangers(project, f".#{installable}", {TOOLS}) == []


def test_evaluation(project: Project) -> None:
    tools = f"path:{project.base}/nix/mirror#evaluation"
    assert strangers(project, tools, {TOOLS}) == []
