"""What the measurements make in Docker's daemon: images and containers, and their end."""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from images import name_of
from programs import run
from measurement import BenchError

# What Docker's older builder prints of a step, its container, and the image that it made.
STEP = re.compile(r"Step \d+/\d+ : (\w+)")
RUNNING = re.compile(r"^ ---> Running in ([0-9a-f]+)$", re.MULTILINE)
LAYER = re.compile(r" ---> ([0-9a-f]+)")


def identity(name: str) -> str:
    """The identity of the image of a name; "" where Docker has none of it."""
    return run("docker", "image", "ls", "--quiet", "--no-trunc", name).strip()


class MadeImages:
    """The images that are made under names, which are to be gone in the end."""

    def __init__(self) -> None:
        self._earlier: dict[str, str] = {}
        self._given: dict[str, str] = {}
        self._theirs: Optional[set[str]] = None
        # in the order in which they were made, for an image goes before what is below it
        self._made: dict[str, None] = {}

    @contextmanager
    def under(self, name: str) -> Iterator[None]:
        """Around whatever gives a name to a new image."""
        if self._theirs is None:
            # The same bytes may be there already, under another name or none.
            listed = run("docker", "image", "ls", "--all", "--quiet", "--no-trunc")
            self._theirs = set(listed.split())
        self._earlier.setdefault(name, identity(name))
        try:
            yield
        finally:
            self._given[name] = identity(name)
            self.note(self._given[name])

    def note(self, made: str) -> None:
        """Note the identity of an image that was made; "" is none.

        What was there before was not made.
        """
        if made and made not in (self._theirs or ()):
            self._made.setdefault(made)

    def remove(self) -> None:
        """Remove the images, and give the names back to those that had them before.

        What somebody else has named or started meanwhile stays.
        """
        for name, earlier in self._earlier.items():
            given = self._given.get(name, "")
            if not given or given == earlier or identity(name) != given:
                continue
            if earlier:
                run("docker", "tag", earlier, name)
            else:
                run("docker", "image", "rm", name)
        for made in reversed(self._made):
            if made not in self._earlier.values():
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


def remove_container(key: str, value: str) -> None:
    """Remove the container that a filter of `docker ps` finds, if there is one."""
    for found in run("docker", "ps", "-aq", "--filter", f"{key}={value}").split():
        # The daemon may be about to do it itself.
        with contextlib.suppress(BenchError):
            run("docker", "rm", "--force", "--volumes", found)


def last_layer(output: str) -> str:
    """The last image that a broken off `docker build` made by itself; "" for none.

    Nothing names it, and below it are those of the steps before. BuildKit makes none.

    >>> last_layer("Step 1/2 : FROM a\\n ---> 0a\\nStep 2/2 : RUN b\\n ---> 0b\\n")
    '0b'
    """
    last = ""
    is_own = False
    for line in output.splitlines():
        step = STEP.match(line)
        if step is not None:
            is_own = step[1].upper() != "FROM"
        elif line == " ---> Using cache":
            is_own = False
        elif is_own:
            found = LAYER.fullmatch(line)
            last = found[1] if found is not None else last
    return last


def stage_ends(output: str) -> list[str]:
    """The last image that each stage of a `docker build` made, as far as it made one.

    Only the file's last stage, or the one that is asked for, gets a name.

    >>> stage_ends("Step 1/3 : FROM a\\nStep 2/3 : RUN b\\n ---> 0b\\nStep 3/3 : FROM c\\n")
    ['0b']
    """
    stages: list[str] = []
    for line in output.splitlines(keepends=True):
        step = STEP.match(line)
        if not stages or step is not None and step[1].upper() == "FROM":
            stages.append("")
        stages[-1] += line
    return [made for made in map(last_layer, stages) if made]


def build(images: MadeImages, name: str, context: Path, *options: str) -> None:
    """Build the image of a folder with a Dockerfile, or with one that an option names.

    Raises BenchError with the last line of what it says where that fails.
    """
    words = ("docker", "build", "--network", "host", "--force-rm", "--tag", name)
    lines: list[str] = []
    with images.under(name):
        process = subprocess.Popen(
            [*words, *options, str(context)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        try:
            with process.stdout:
                for line in process.stdout:
                    lines.append(line)
            if process.wait() != 0:
                told = "".join(lines).strip().splitlines() or ["no message"]
                raise BenchError(f"docker build of {name}: {told[-1]}")
            for made in stage_ends("".join(lines)):
                images.note(made)
        except BaseException:
            process.terminate()
            process.wait()
            output = "".join(lines)
            for step in RUNNING.findall(output)[-1:]:
                remove_container("id", step)
            for made in stage_ends(output):
                images.note(made)
            raise


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
        remove_container("name", f"^{name}$")
