"""Fixtures: a clone of the repository to build in, on a machine with Docker."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import pytest
from image.archive import Image
from image.conftest import Container, Containers, StartContainer


def run(
    folder: Path,
    *words: str,
    check: bool = True,
    environment: Optional[Mapping[str, str]] = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder; keeps both of its streams."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done


def make_clone(folder: Path) -> Path:
    """Clone the repository in which the tests were started into a folder."""
    top = run(Path.cwd(), "git", "rev-parse", "--show-toplevel").stdout.strip()
    run(folder, "git", "clone", "--quiet", top, "uvicorn-gunicorn-poetry")
    return folder / "uvicorn-gunicorn-poetry"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone for one test."""
    return make_clone(tmp_path)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone for all tests that leave it as it is."""
    return make_clone(tmp_path_factory.mktemp("base"))


FLAKE = """\
{
  inputs.base.url = "flake:uvicorn-gunicorn-poetry";

  outputs = { self, base }:
    let application = base.lib.mkApplication ({ python = "python313"; } // %s); in
    application.outputs // { inherit application; };
}
"""


@dataclass(frozen=True)
class Project:
    """A project of somebody's, and the clone whose ./mirror serves it."""

    folder: Path
    base: Path

    def mirror(
        self, *words: str, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run `./mirror nix WORDS` in the project's folder."""
        return run(self.folder, str(self.base / "mirror"), "nix", *words, check=check)

    def write_flake(self, arguments: str) -> None:
        """Write a flake.nix that calls mkApplication with these Nix arguments."""
        (self.folder / "flake.nix").write_text(FLAKE % arguments)

    def build(self, installable: str = ".") -> Path:
        """Build an output; returns its store path."""
        self.mirror("build", "--out-link", "result", installable)
        return (self.folder / "result").resolve()


@pytest.fixture
def project(base: Path, tmp_path: Path) -> Project:
    """The template's files in a folder that is no git repository."""
    folder = tmp_path / "project"
    shutil.copytree(base / "nix/template", folder)
    return Project(folder, base)


@pytest.fixture
def start_archive() -> Iterator[StartContainer]:
    """Load an image's archive and start a container of it; both are removed again."""
    tags: dict[str, str] = {}
    containers = Containers(tags)

    def start(archive: Path, *arguments: str, **keywords: Any) -> Container:
        with open(archive, "rb") as content:
            subprocess.run(["docker", "load", "--quiet"], stdin=content, check=True)
        (tags[str(archive)],) = Image(archive).manifest["RepoTags"]
        return containers.start(str(archive), *arguments, **keywords)

    yield start
    containers.remove()
    for tag in tags.values():
        run(Path.cwd(), "docker", "rmi", "--force", tag, check=False)
