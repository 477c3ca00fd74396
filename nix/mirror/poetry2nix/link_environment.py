"""Joins installed packages into one virtual environment (PEP 405) of links."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

# What install_wheel.py writes for the interpreter.
PLACEHOLDER = b"/environment/bin/python"


class Conflict(Exception):
    """A file of one package is a folder of another; the message is one line."""


def link(target: Path, sources: Sequence[Path]) -> None:
    """Make `target` of what lies at `sources`: a link if possible, a folder if shared.

    A folder that several packages have (a namespace package, PEP 420, or __pycache__ of
    single modules) becomes a real folder. Of a file that several have, the first one's
    is taken, with a warning if they differ: installers overwrite such files, too.
    """
    if len(sources) == 1:
        target.symlink_to(sources[0])
    elif all(source.is_dir() for source in sources):
        target.mkdir()
        merge(target, sources)
    elif any(source.is_dir() for source in sources):
        raise Conflict(f"{sources[0]} and {sources[1]}: one is a folder, one a file")
    else:
        first, *others = sources
        warn_of_others(first, others)
        target.symlink_to(first)


def warn_of_others(first: Path, others: Sequence[Path]) -> None:
    """Warn of files that differ from the one that is taken; byte code always does."""
    for other in others:
        if first.suffix != ".pyc" and other.read_bytes() != first.read_bytes():
            print(f"warning: {other} is hidden by {first}", file=sys.stderr)


def merge(target: Path, folders: Sequence[Path], without: Sequence[str] = ()) -> None:
    """Fill the folder `target` with what the folders hold, but for names `without`."""
    names: dict[str, list[Path]] = {}
    for folder in folders:
        for entry in folder.iterdir():
            names.setdefault(entry.name, []).append(entry)
    for name, sources in sorted(names.items()):
        if name not in without:
            link(target / name, sources)


def with_interpreter(content: bytes, interpreter: Path) -> bytes:
    """A script's content, its first line leading to the environment's interpreter.

    What is no script, such as a compiled program, stays as it is.
    """
    first, separator, rest = content.partition(b"\n")
    if first.startswith(b"#!"):
        first = first.replace(PLACEHOLDER, bytes(interpreter), 1)
    return first + separator + rest


def link_scripts(target: Path, folders: Sequence[Path], interpreter: Path) -> None:
    """Copy the scripts of the packages' bin/ folders into the environment's.

    Folders among them, which wheels may bring as data, are linked.
    """
    scripts: dict[str, list[Path]] = {}
    for folder in folders:
        for script in folder.iterdir():
            scripts.setdefault(script.name, []).append(script)
    for name, sources in sorted(scripts.items()):
        if any(source.is_dir() for source in sources):
            link(target / name, sources)
            continue
        first, *others = sources
        warn_of_others(first, others)
        copy = target / name
        copy.write_bytes(with_interpreter(first.read_bytes(), interpreter))
        copy.chmod(0o755)


def link_environment(
    target: Path, packages: Sequence[Path], python: Path, site_packages: str
) -> None:
    """Write an environment of packages.

    python: the interpreter below it; site_packages: the modules' folder, a relative
    path such as lib/python3.9/site-packages, in the environment as in each package.
    Raises Conflict.
    """

    def below(folder: str) -> list[Path]:
        return [package / folder for package in packages if (package / folder).is_dir()]

    (target / site_packages).mkdir(parents=True)
    (target / "bin").mkdir()
    merge(target / site_packages, below(site_packages))
    # The wheels' data beside the modules: share/, etc/ and the like.
    merge(target, packages, without=["bin", "lib"])
    library = Path(site_packages).parent
    merge(target / "lib", below("lib"), without=[library.name])
    merge(target / library, below(str(library)), without=[Path(site_packages).name])
    versioned = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ("python", "python3", versioned):
        (target / "bin" / name).symlink_to(python)
    link_scripts(target / "bin", below("bin"), target / "bin/python")
    version = ".".join(map(str, sys.version_info[:3]))
    (target / "pyvenv.cfg").write_text(
        f"home = {python.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {version}\n"
    )


def main(words: Optional[Sequence[str]] = None) -> int:
    """Build the environment; returns 1 with one line on standard error on a conflict.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("packages", type=Path, nargs="*")
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--site-packages", required=True)
    arguments = parser.parse_args(words)
    try:
        link_environment(
            arguments.target,
            arguments.packages,
            arguments.python,
            arguments.site_packages,
        )
    except Conflict as conflict:
        print(f"error: {conflict}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
