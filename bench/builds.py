"""What a change makes Nix do: evaluate, build, and how long all of it takes."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from clone import INSTALLABLE, PRODUCTION, Clone
from daemon import MadeImages, load
from programs import given, messages, run
from measurement import PATIENCE, Row, alternate, median, seconds

PROGRAMS = ("docker", "git")

# Nix says it of each derivation when its sandbox is about to start.
BUILDING = re.compile(r"^building ['‘\"]([^'’\"]+\.drv)", re.MULTILINE)
HASH = re.compile(r"^[0-9a-z]{32}-")


def built(output: str) -> list[str]:
    """The derivations that Nix says it builds, one for each start of a sandbox.

    output: what Nix writes to its standard error with -v.

    >>> built("building '/nix/store/0-a.drv'...\\nbuilding '/nix/store/0-b.drv'...")
    ['/nix/store/0-a.drv', '/nix/store/0-b.drv']
    """
    return BUILDING.findall(output)


def names(derivations: Iterable[str]) -> str:
    """What the derivations are called, in the order in which they were begun.

    >>> names(["/nix/store/0123456789abcdfghijklmnpqrsvwxyz-image.tar.drv"])
    'image.tar'
    >>> names(["/nix/store/a.drv", "/nix/store/a.drv", "/nix/store/b.drv"])
    'a (2 times), b'
    """
    bare = [HASH.sub("", Path(path).stem) for path in derivations]
    return ", ".join(
        name if times == 1 else f"{name} ({times} times)"
        for name, times in Counter(bare).items()
    )


@dataclass
class Change:
    """A change of the clone, and what it was seen to cost.

    evaluations: seconds of wall time in which Nix only says what there is to build, but
    has to build what an evaluation needs; starts: of each run the derivations that were
    built, those of the evaluation too. The leading PATIENCE runs count for nothing.
    """

    name: str
    make: Callable[[], object]
    evaluations: list[float] = field(default_factory=list)
    starts: list[list[str]] = field(default_factory=list)

    def rows(self, whole: float) -> list[Row]:
        """Its rows. whole: seconds of wall time from the change to the image."""
        most = max(self.starts[PATIENCE:], key=len)
        times = "" if len(set(most)) == len(most) else ", of some more than once"
        what = f"built, each in a sandbox{times}: {names(most) or 'nothing'}"
        return [
            Row(f"{self.name}: `./mirror nix build {INSTALLABLE}`", whole, "s"),
            Row(
                "its evaluation, by Nix alone", median(self.evaluations[PATIENCE:]), "s"
            ),
            Row(what, len(most), ""),
        ]


def measure_change(clone: Clone, change: Change) -> float:
    """Make a change twice: evaluated and built by Nix, and all of it by ./mirror.

    Returns the seconds of the latter.
    """
    asked, more = clone.composed("path-info", "--derivation", INSTALLABLE)
    building, _ = clone.composed("build", INSTALLABLE)
    output: list[str] = []

    def evaluate() -> None:
        output.append(messages(*asked, "-v", cwd=clone.folder, more=more))

    change.make()
    change.evaluations.append(seconds(evaluate))
    output.append(messages(*building, "-v", cwd=clone.folder, more=more))
    change.starts.append([path for text in output for path in built(text)])
    change.make()
    return seconds(clone.build)


def measure_nothing(runs: int, clone: Clone, docker: Callable[[], None]) -> list[Row]:
    """Rows of doing nothing. docker: does as much with `docker build`."""
    words, more = clone.composed("build", INSTALLABLE)

    def by_mirror(_: int) -> float:
        return seconds(clone.build)

    def by_nix(_: int) -> float:
        return seconds(lambda: run(*words, cwd=clone.folder, more=more))

    def by_docker(_: int) -> float:
        return seconds(docker)

    whole, alone, peer = map(median, alternate(runs, by_mirror, by_nix, by_docker))
    what = f"nothing to do, `./mirror nix build {INSTALLABLE}`"
    against = f"{PRODUCTION}, warm cache"
    share = "`./mirror`'s own share of it"
    return [
        Row(what, whole, "s", against, peer, "≤ 2 s, better ≤ 1 s"),
        Row(share, max(whole - alone, 0.0), "s", target="≤ 0.5 s"),
    ]


def measure(runs: int, images: MadeImages) -> list[Row]:
    """Rows of doing nothing, of an edit, of a file beside, and of a dependency."""
    platform = load(images, given("PLATFORM_IMAGE"))
    with tempfile.TemporaryDirectory() as scratch:
        clone = Clone(Path(scratch, "clone"))
        with clone.served() as index:

            def docker() -> None:
                clone.docker_build(images, platform, index)

            rows = measure_nothing(runs, clone, docker)
            changes = (
                Change("an edit in app/", clone.edit),
                Change("a new file beside app/", clone.add_file),
                Change("another release of a dependency", clone.change_dependency),
            )

            def changed(change: Change) -> Callable[[int], float]:
                return lambda _: measure_change(clone, change)

            figures = alternate(runs, *map(changed, changes))
            for change, times in zip(changes, figures):
                rows += change.rows(median(times))

            def after_change(work: Callable[[], None]) -> Callable[[int], float]:
                def taken(_: int) -> float:
                    clone.change_dependency()
                    return seconds(work)

                return taken

            ours = after_change(lambda: clone.load(images))
            loaded, peer = map(median, alternate(runs, ours, after_change(docker)))
            what = f"the same → in Docker, `./mirror nix run {INSTALLABLE}.load`"
            rows.append(Row(what, loaded, "s", PRODUCTION, peer))
    return rows
