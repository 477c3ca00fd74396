"""An edit of the application: how long until Docker has it, and what it moves."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from images import moved, read_image
from programs import given, run, served_index
from measurement import Row, alternate, median, seconds

IMAGE = "app-example:1.0.0"
DOCKERFILE_IMAGE = "bench-platform"
PLATFORM = re.compile(r"Loaded image: (\S+)")


class Edited:
    """A clone of the repository, of which app-example is edited."""

    def __init__(self, folder: Path) -> None:
        """folder: where the clone is made, with what is not committed yet."""
        self.folder = folder
        run("git", "clone", "--quiet", ".", str(folder))
        changes = run("git", "diff", "--binary", "HEAD")
        if changes:
            patch = folder / "changes.patch"
            patch.write_text(changes)
            run("git", "apply", "--index", patch.name, cwd=folder)
            patch.unlink()
        self.count = 0

    def edit(self) -> None:
        """Change what the application answers."""
        self.count += 1
        main = self.folder / "app-example/app/main.py"
        text = re.sub(r"Hello \w+!", f"Hello edit{self.count:04}!", main.read_text())
        main.write_text(text)

    def has_load(self) -> bool:
        """Whether the image has a program that sends Docker only what it lacks."""
        words = ("nix", "eval", ".#app-example", "--apply", "image: image ? load")
        return run("./mirror", *words, cwd=self.folder).strip() == "true"

    def load(self) -> None:
        """Build the image and load it with its own program."""
        run("./mirror", "nix", "run", ".#app-example.load", cwd=self.folder)

    def build_and_load(self) -> None:
        """Build the image and have `docker load` read it."""
        run("./mirror", "nix", "build", ".#app-example", cwd=self.folder)
        run("sh", "-c", "docker load < result", cwd=self.folder)

    def docker_build(self, platform: str, index: str) -> None:
        """Build app-example/Dockerfile with its cache."""
        run(
            *("docker", "build", "--network", "host", "--tag", DOCKERFILE_IMAGE),
            *("--build-arg", f"BASE_IMAGE={platform}"),
            *("--build-arg", f"POETRY_PYPI_MIRROR_URL={index}", "app-example"),
            cwd=self.folder,
        )


def saved(image: str, folder: Path) -> Path:
    """An archive of an image that Docker has."""
    path = folder / "saved.tar"
    path.unlink(missing_ok=True)
    run("docker", "save", "--output", str(path), image)
    return path


def identities(image: str) -> set[str]:
    """The identity of the image of a name; none where Docker has none of it."""
    return set(run("docker", "image", "ls", "--quiet", "--no-trunc", image).split())


def measure(runs: int) -> list[Row]:
    """Rows of an edit, and of doing nothing."""
    platform = PLATFORM.search(
        run("docker", "load", "-i", str(given("PLATFORM_IMAGE")))
    )
    assert platform is not None, "docker load names what it loads"
    earlier = identities(IMAGE)
    made: set[str] = set()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch, served_index(
        given("WHEELS")
    ) as index:
        clone = Edited(Path(scratch, "clone"))

        def after_edit(work: Callable[[], None]) -> float:
            clone.edit()
            taken = seconds(work)
            made.update(identities(IMAGE), identities(DOCKERFILE_IMAGE))
            return taken

        def with_load(_: int) -> float:
            return after_edit(clone.load)

        def with_archive(_: int) -> float:
            return after_edit(clone.build_and_load)

        def with_dockerfile(_: int) -> float:
            return after_edit(lambda: clone.docker_build(platform[1], index))

        works = [with_archive, with_dockerfile]
        if clone.has_load():
            works.append(with_load)
        figures = [median(times) for times in alternate(runs, *works)]
        against = "`docker build`, warm cache"
        what = "edit → in Docker, `./mirror nix"
        if len(figures) > 2:
            program = f"{what} run .#app-example.load`"
            aim = "≤ 2, better ≤ 1"
            rows.append(Row(program, figures[2], "s", against, figures[1], aim))
        load = "build .#app-example && docker load < result`"
        rows.append(Row(f"{what} {load}", figures[0], "s", against, figures[1]))

        folder = Path(scratch)
        after_edit(clone.build_and_load)
        before = read_image(clone.folder / "result")
        after_edit(clone.build_and_load)
        stored, sent = moved(before, read_image(clone.folder / "result"))
        with_dockerfile(0)
        before = read_image(saved(DOCKERFILE_IMAGE, folder))
        with_dockerfile(0)
        peer = moved(before, read_image(saved(DOCKERFILE_IMAGE, folder)))
        aim = "≤ 20 kB, better ≤ 5 kB"
        rows.append(
            Row("bytes of an edit, stored", stored, "B", "`docker build`", peer[0])
        )
        rows.append(
            Row("bytes of an edit, pushed", sent, "B", "`docker build`", peer[1], aim)
        )

        def nothing(_: int) -> float:
            return seconds(
                lambda: run(
                    "./mirror", "nix", "build", ".#app-example", cwd=clone.folder
                )
            )

        (idle,) = alternate(runs, nothing)
        what = "nothing to do, `./mirror nix build .#app-example`"
        rows.append(Row(what, median(idle), "s", target="≤ 2 s, better ≤ 1 s"))
    for identity in earlier:
        run("docker", "tag", identity, IMAGE)
    run("docker", "image", "rm", "--force", *sorted(made - earlier))
    return rows
