"""A clone of the repository, of which app-example is changed."""

from __future__ import annotations

import json
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemon import MadeImages, build
from programs import given, run, served_index
from measurement import BenchError
from stages import needed_stages
from releases import release, relocked

IMAGE = "app-example:1.0.0"
DOCKERFILE_IMAGE = "bench-platform"
INSTALLABLE = ".#app-example"
# The peer that makes production's stages of app-example/Dockerfile alone.
PRODUCTION = "`docker build`, production's stages"
# A small package of the production image that is not asked for by itself.
DEPENDENCY = "sniffio"

# `./mirror nix WORDS` up to where it becomes Nix: what it would call, and with what.
COMPOSED = """
import json, os, sys
import command_line, needed_files, nix_command
nix = nix_command.Nix(os.environ)
needs = needed_files.Needs(nix, command_line.read(sys.argv[1:], nix.settings))
print(json.dumps([["nix", *needs.words()], nix.environment["NIX_CONFIG"]]))
"""


class Clone:
    """The clone. Each change is one that neither Nix nor Docker has ever seen."""

    def __init__(self, folder: Path) -> None:
        """folder: where it is made, with what is not committed yet."""
        self.folder = folder
        self.project = folder / "app-example"
        run("git", "clone", "--quiet", ".", str(folder))
        changes = run("git", "diff", "--binary", "HEAD")
        if changes:
            patch = folder / "changes.patch"
            patch.write_text(changes)
            run("git", "apply", "--index", patch.name, cwd=folder)
            patch.unlink()
        self._dockerfile = folder.with_name("Dockerfile")
        self._dockerfile.write_text(
            needed_stages((self.project / "Dockerfile").read_text(), "production")
        )
        self._index = folder.with_name("index")
        self._index.mkdir()
        wheels = given("WHEELS")
        for project in wheels.iterdir():
            if project.name != DEPENDENCY:
                self._index.joinpath(project.name).symlink_to(project.resolve())
        self._index.joinpath(DEPENDENCY).mkdir()
        found = sorted((wheels / DEPENDENCY).glob("*.whl"))
        if not found:
            raise BenchError(f"app-example/poetry.lock has no wheel of {DEPENDENCY}")
        self._wheel = found[-1]
        self._add_to_index(self._wheel)

    def _add_to_index(self, wheel: Path) -> None:
        (self._index / DEPENDENCY / wheel.name).symlink_to(wheel.resolve())

    @contextmanager
    def served(self) -> Iterator[str]:
        """The index of the wheels, those of change_dependency too; gives its URL."""
        with served_index(self._index) as url:
            yield url

    def edit(self) -> None:
        """Change what the application answers."""
        main = self.project / "app/main.py"
        answer = f"Hello {secrets.token_hex(4)}!"
        text, count = re.subn(r"Hello \w+!", answer, main.read_text())
        if not count:
            raise BenchError("app-example/app/main.py answers no Hello")
        main.write_text(text)

    def add_file(self) -> None:
        """Add a file that is no part of the application."""
        name = f"{secrets.token_hex(4)}.md"
        (self.project / name).write_text("# What is read by people\n")
        run("git", "add", name, cwd=self.project)

    def change_dependency(self) -> None:
        """Lock another release of a package, and put it where Nix and pip find it.

        There is nothing left to download.
        """
        version = f"1.{secrets.randbelow(10**9)}"
        wheel = release(self._wheel, version, self.folder.parent)
        self._add_to_index(wheel)
        lock = self.project / "poetry.lock"
        lock.write_text(relocked(lock.read_text(), DEPENDENCY, wheel, version))
        run("nix-store", "--add-fixed", "sha256", str(wheel))

    def has_load(self) -> bool:
        """Whether the image has a program that sends Docker only what it lacks."""
        words = ("nix", "eval", INSTALLABLE, "--apply", "image: image ? load")
        return run("./mirror", *words, cwd=self.folder).strip() == "true"

    def composed(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """What `./mirror nix WORDS` calls in the end: words, and environment variables."""
        path = str(self.folder / "nix/mirror/command")
        more = {"PYTHONPATH": path}
        output = run(sys.executable, "-c", COMPOSED, *words, cwd=self.folder, more=more)
        command, settings = json.loads(output)
        return command, {"NIX_CONFIG": settings}

    def build(self) -> None:
        """Build the image."""
        run("./mirror", "nix", "build", INSTALLABLE, cwd=self.folder)

    def load(self, images: MadeImages) -> None:
        """Build the image and load it with its own program."""
        with images.under(IMAGE):
            run("./mirror", "nix", "run", f"{INSTALLABLE}.load", cwd=self.folder)

    def build_and_load(self, images: MadeImages) -> None:
        """Build the image and have `docker load` read it."""
        self.build()
        with images.under(IMAGE):
            run("sh", "-c", "docker load < result", cwd=self.folder)

    def docker_build(
        self, images: MadeImages, platform: str, index: str, whole: bool = False
    ) -> None:
        """Build app-example/Dockerfile with its cache.

        platform: the name of the image that it stands on; index: URL of a simple index;
        whole: the file as it is, not the stages alone that production needs.
        """
        arguments = (f"BASE_IMAGE={platform}", f"POETRY_PYPI_MIRROR_URL={index}")
        words = [word for one in arguments for word in ("--build-arg", one)]
        if not whole:
            words += ["--file", str(self._dockerfile)]
        build(images, DOCKERFILE_IMAGE, self.project, *words)
