"""Proves that images do not depend on where, by whom and how often they are built.

Three clones of what the repository has committed, in different folders and under
different settings, have to give the same derivations:

  - two with this machine's store. Every derivation on the way to the images is then
    built once more under the settings of each, and Nix compares what comes out with
    what the store has, byte for byte (`nix-store --realise --check`);
  - one with an empty store on another file system, which lists the files of a folder
    in another order, where everything is built anew, the choice of wheels during the
    evaluation included. Every path that both stores have has to be the same. In how
    many folders of these the orders really differ is counted; none is an error.

Umask, time zone, locale and hash seed are those of git, ./mirror and Nix; to its
builders Nix gives an environment and a umask of its own. A builder that prints what it
sees tells which settings reach it. Python in a builder has a hash seed that is fixed
there, or another one in each build.

What differs is shown by diffoscope.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn, Optional

import difference_report
import second_store
from derivations import (
    Derivation,
    Difference,
    build_again,
    builders_view,
    closure,
    forget,
)
from setting import NotReproducible, Setting, settings

SIGNALS = (signal.SIGHUP, signal.SIGTERM)


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def derivations_of(setting: Setting, images: Sequence[str]) -> list[str]:
    """What the images are built of, asked for in a setting's clone."""
    flags = ("path-info", "--derivation")
    wanted = [f".#{image}" for image in images]
    found = setting.run("./mirror", "nix", *flags, *wanted, cwd=setting.folder).split()
    return sorted(found)


def build(setting: Setting, images: Sequence[str]) -> list[str]:
    """Build the images in a setting's clone, which is made; returns their derivations."""
    if not setting.folder.exists():
        setting.run("git", "clone", "--quiet", ".", str(setting.folder))
    links = [f".#{image}" for image in images]
    setting.run("./mirror", "nix", "build", "--no-link", *links, cwd=setting.folder)
    return derivations_of(setting, images)


def show(found: Sequence[Difference]) -> None:
    """Print how the outputs differ."""
    for derivation, output, kept in found:
        report = difference_report.report(output, kept)
        say(f"{derivation} gives another {output}:")
        say(difference_report.shortened(report).rstrip("\n"))


def check_again(setting: Setting, derivations: Sequence[str]) -> None:
    """Build derivations again under a setting. Raises NotReproducible."""
    found = build_again(setting, derivations)
    try:
        show(found)
    finally:
        for difference in found:
            forget(difference.kept)
    if found:
        names = ", ".join(difference.derivation for difference in found)
        raise NotReproducible(
            f"{len(found)} of {len(derivations)} derivations give other bytes when they"
            f" are built again: {names}"
        )
    say(f"{len(derivations)} derivations built again: the same bytes")


def tell_view(chosen: Sequence[Setting], probe: Optional[str]) -> None:
    """Say which of the settings a builder sees."""
    views = [builders_view(setting, probe) for setting in chosen]
    for name in views[0]:
        values = [view[name] or "none" for view in views]
        reaches = "reaches builders" if len(set(values)) > 1 else "reaches no builder"
        say(f"{name} {reaches}: {', '.join(values)}")


def demand_folder(folder: Path) -> None:
    """Raises NotReproducible where nothing can be written into a folder."""
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise NotReproducible(
            f"{folder} is no folder that can be written to: name one on another file"
            " system than the store's with --other-file-system FOLDER"
        )


def check(images: Sequence[str], other: Path, probe: Optional[str] = None) -> None:
    """Compare. Raises NotReproducible.

    other: a folder on another file system than the store's; probe: see builders_view.
    """
    difference_report.demand()
    demand_folder(other)
    if subprocess.run(("git", "diff", "--quiet", "HEAD")).returncode:
        say("note: what is not committed is not checked")
    with ExitStack() as stack:
        scratch, elsewhere = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            for folder in (None, other)
        )
        first, second, third = chosen = settings(scratch, elsewhere)
        for setting in chosen:
            setting.build_folder.mkdir()
        roots = build(first, images)
        built = closure(first, roots)
        kept = [found for found in built if found.is_built()]
        again = [found.path for found in kept if not found.fixed]
        second_store.demand_room(
            first, elsewhere, [path for found in kept for path in found.outputs]
        )
        files = [path for found in kept if found.fixed for path in found.outputs]
        second_store.copy(first, third, files)
        for setting in (second, third):
            others = build(setting, images)
            if others != roots:
                raise NotReproducible(
                    f"two clones give different derivations: {roots}, {others}"
                )
        say(f"{len(images)} images, {len(again)} derivations: the same in three clones")
        tell_view((first, second), probe)
        for setting in (first, second):
            check_again(setting, again)
        compare_stores(first, third, built)


def compare_stores(first: Setting, third: Setting, built: Sequence[Derivation]) -> None:
    """Compare what both stores have, and how they list it. Raises NotReproducible."""
    found, order = second_store.compare(first, third, built)
    show(found[:1])
    if found:
        names = ", ".join(difference.derivation for difference in found)
        raise NotReproducible(
            f"{len(found)} store paths differ in the second store, the cause first:"
            f" {names}"
        )
    if not order.otherwise:
        raise NotReproducible(
            f"the second store lists all {order.folders} folders in the same order, so"
            " that it shows nothing of file order: name a folder on another file system"
            " with --other-file-system FOLDER"
        )
    say(
        f"the second store has the same bytes; its file system lists {order.otherwise}"
        f" of {order.folders} folders in another order"
    )


def end(number: int, frame: object) -> NoReturn:
    """End on a signal in order: clones and the second store are removed on the way."""
    for further in SIGNALS:
        signal.signal(further, signal.SIG_IGN)
    sys.exit(128 + number)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Check the images; returns 1 with one line on standard error where they differ.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="reproducibility",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    parser.add_argument("--all", action="store_true", help="all images that are known")
    parser.add_argument("--known", default="", help=argparse.SUPPRESS)
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    parser.add_argument(
        "--other-file-system",
        type=Path,
        default=Path("/dev/shm"),
        metavar="FOLDER",
        help="where the second store is made: a folder on another file system than the"
        " store's; default: %(default)s, in memory",
    )
    arguments = parser.parse_args(words)
    images = arguments.images or ["app-example"]
    if arguments.all:
        images = arguments.known.split()
    for number in SIGNALS:
        signal.signal(number, end)
    try:
        check(images, arguments.other_file_system, arguments.probe)
    except NotReproducible as error:
        print(f"reproducibility: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
