"""What the measurements make in Docker's daemon: images and containers, and their end."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images import name_of
from programs import run
from measurement import BenchError


def identity(name: str) -> str:
    """The identity of the image of a name; "" where Docker has none of it."""
    return run("docker", "image", "ls", "--quiet", "--no-trunc", name).strip()


class MadeImages:
    """The images that are made under names, which are to be gone in the end."""

    def __init__(self) -> None:
        self._earlier: dict[str, str] = {}
        self._made: set[str] = set()

    @contextmanager
    def under(self, name: str) -> Iterator[None]:
        """Around whatever gives a name to a new image."""
        self._earlier.setdefault(name, identity(name))
        try:
            yield
        finally:
            self._made.add(identity(name))

    def remove(self) -> None:
        """Remove the images, and give the names back to those that had them before.

        What somebody else has named or started meanwhile stays.
        """
        for name, earlier in self._earlier.items():
            if earlier:
                run("docker", "tag", earlier, name)
            elif identity(name):
                run("docker", "image", "rm", name)
        for made in sorted(self._made - set(self._earlier.values()) - {""}):
            with contextlib.suppress(BenchError):
                run("docker", "image", "rm", made)


@contextmanager
def made_images() -> Iterator[MadeImages]:
    """The images of a measurement, removed at the end, whatever that is."""
    images = MadeImages()
    try:
        yield images
    finally:
        images.remove()


def build(images: MadeImages, name: str, context: Path, *options: str) -> None:
    """Build the image of a folder with a Dockerfile, or with one that an option names."""
    with images.under(name):
        words = ("docker", "build", "--network", "host", "--force-rm", "--tag", name)
        run(*words, *options, str(context))


def load(images: MadeImages, archive: Path) -> str:
    """Have `docker load` read an archive; returns the image's name."""
    name = name_of(archive)
    with images.under(name):
        run("docker", "load", "--input", str(archive))
    return name


def saved(image: str, folder: Path) -> Path:
    """An archive of an image that Docker has; one made earlier is replaced."""
    path = folder / "saved.tar"
    path.unlink(missing_ok=True)
    run("docker", "save", "--output", str(path), image)
    return path


@contextmanager
def container(
    image: str, *options: str, command: tuple[str, ...] = ()
) -> Iterator[str]:
    """A container of an image, removed at the end; gives its name.

    options: of `docker run`; command: what stands in the place of the image's own.
    """
    name = f"bench-{secrets.token_hex(8)}"
    try:
        run("docker", "run", "--detach", "--name", name, *options, image, *command)
        yield name
    finally:
        for made in run("docker", "ps", "-aq", "--filter", f"name=^{name}$").split():
            run("docker", "rm", "--force", "--volumes", made)
