"""An edit of the application: how long until Docker has it, and what it moves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from clone import DOCKERFILE_IMAGE, PRODUCTION, Clone
from daemon import MadeImages, load, saved
from images import moved, read_image
from programs import given
from measurement import Row, alternate, median, seconds

PROGRAMS = ("docker", "git", "gzip")


def measure(runs: int, images: MadeImages) -> list[Row]:
    """Rows of an edit."""
    platform = load(images, given("PLATFORM_IMAGE"))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clone = Clone(folder / "clone")
        with clone.served() as index:

            def after_edit(work: Callable[[], None]) -> float:
                clone.edit()
                return seconds(work)

            def with_load(_: int) -> float:
                return after_edit(lambda: clone.load(images))

            def with_archive(_: int) -> float:
                return after_edit(lambda: clone.build_and_load(images))

            def with_dockerfile(_: int) -> float:
                return after_edit(lambda: clone.docker_build(images, platform, index))

            def with_whole_dockerfile(_: int) -> float:
                return after_edit(
                    lambda: clone.docker_build(images, platform, index, whole=True)
                )

            works = [with_archive, with_dockerfile, with_whole_dockerfile]
            if clone.has_load():
                works.append(with_load)
            archive, stages, whole, *load_program = [
                median(times) for times in alternate(runs, *works)
            ]
            against = "`docker build`, warm cache"
            without = f"{PRODUCTION}, warm cache"
            what = "edit → in Docker, `./mirror nix"
            for taken in load_program:
                program = f"{what} run .#app-example.load`"
                aim = "≤ 2, better ≤ 1"
                rows.append(Row(program, taken, "s", against, whole, aim))
                rows.append(Row(program, taken, "s", without, stages))
            program = f"{what} build .#app-example && docker load < result`"
            rows.append(Row(program, archive, "s", against, whole))

            with_archive(0)
            before = read_image(clone.folder / "result")
            with_archive(0)
            stored, sent = moved(before, read_image(clone.folder / "result"))
            with_dockerfile(0)
            before = read_image(saved(DOCKERFILE_IMAGE, folder))
            with_dockerfile(0)
            peer = moved(before, read_image(saved(DOCKERFILE_IMAGE, folder)))
    against = PRODUCTION
    aim = "≤ 20 kB, better ≤ 5 kB"
    rows += [
        Row("bytes of an edit, stored", stored, "B", against, peer[0]),
        Row("bytes of an edit, pushed", sent, "B", against, peer[1], aim),
    ]
    return rows
