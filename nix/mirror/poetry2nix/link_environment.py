"""Joins installed packages into one virtual environment (PEP 405) of links."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

PLACEHOLDER = b"/environment/bin/python"


class Conflict(Exception):
    """Two packages hold the same file; the message is one line that names both."""


def link(target: Path, sources: Sequence[Path]) -> None:
    """Make `target` of what lies at `sources`: one link if possible, a folder if shared.

    A folder that several packages have (a namespace package, PEP 420, or __pycache__ of
    single modules) becomes a real folder.
    """
    if len(sources) == 1:
        target.symlink_to(sources[0])
        return
    if not all(source.is_dir() for source in sources):
        first, second = sources[:2]
        if all(source.read_bytes() == first.read_bytes() for source in sources):
            target.symlink_to(first)
            return
        raise Conflict(f"{first} and {second} are the same file of an environment")
    target.mkdir()
    merge(target, sources)


def merge(target: Path, folders: Sequence[Path]) -> None:
    """Fill the folder `target` with what the folders hold."""
    names: dict[str, list[Path]] = {}
    for folder in folders:
        for entry in sorted(folder.iterdir()):
            names.setdefault(entry.name, []).append(entry)
    for name, sources in sorted(names.items()):
        link(target / name, sources)


def copy_script(script: Path, target: Path, interpreter: Path) -> None:
    """Copy a script, its first line leading to the environment's interpreter."""
    content = script.read_bytes()
    target.write_bytes(content.replace(PLACEHOLDER, bytes(interpreter), 1))
    target.chmod(0o755)


def main() -> int:
    """Build the environment; returns 1 with one line on standard error on a conflict."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("packages", type=Path, nargs="*")
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--site-packages", required=True)
    arguments = parser.parse_args()
    target: Path = arguments.target
    site_packages = target / arguments.site_packages
    site_packages.mkdir(parents=True)
    (target / "bin").mkdir()
    try:
        sources = [package / arguments.site_packages for package in arguments.packages]
        merge(site_packages, [source for source in sources if source.is_dir()])
    except Conflict as conflict:
        print(f"error: {conflict}", file=sys.stderr)
        return 1
    versioned = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for name in ("python", "python3", versioned):
        (target / "bin" / name).symlink_to(arguments.python)
    for package in arguments.packages:
        scripts = package / "bin"
        if scripts.is_dir():
            for script in sorted(scripts.iterdir()):
                copy_script(script, target / "bin" / script.name, target / "bin/python")
    version = ".".join(map(str, sys.version_info[:3]))
    (target / "pyvenv.cfg").write_text(
        f"home = {arguments.python.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {version}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
