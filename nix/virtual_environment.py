"""Writes a virtual environment (PEP 405) with copies of installed distributions."""

from __future__ import annotations

import argparse
import os.path
import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import Optional

LAUNCHER = """\
#!{interpreter}
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({callable}())
"""

LAUNCHED = ("console_scripts", "gui_scripts")


def canonical(project: str) -> str:
    """A project's name as indexes spell it (PEP 503, "Normalized Names").

    >>> canonical("Zope.Interface")
    'zope-interface'
    """
    return re.sub(r"[-_.]+", "-", project).lower()


def once_each(found: Iterable[Distribution]) -> list[Distribution]:
    """The distributions, sorted by name, of each project the first that was found."""
    by_name: dict[str, Distribution] = {}
    for distribution in found:
        name = distribution.metadata["Name"]
        if name:
            by_name.setdefault(canonical(name), distribution)
    return [by_name[name] for name in sorted(by_name)]


def with_interpreter(content: bytes, binaries: Path, location: str) -> bytes:
    """A script's content, its first line leading to the python at `location`.

    Only a first line that names an interpreter in the folder `binaries`, that of the
    environment which is copied, is changed.
    """
    first, separator, rest = content.partition(b"\n")
    there = f"#!{binaries}/python".encode()
    if first.startswith(there):
        options = first[len(there) :].partition(b" ")[1:]
        first = f"#!{location}/bin/python".encode() + b"".join(options)
    return first + separator + rest


def copy_files(
    distribution: Distribution, source: Path, target: Path, location: str
) -> None:
    """Copy what a distribution's RECORD lists from one environment to another.

    source, target: the folders `site-packages` of both; location: where the environment
    of the second one will lie. Files that RECORD lists elsewhere in the environment are
    copied, too, scripts with a new first line; the launchers of entry points and byte
    code, which name the folder that they were made for, are not.
    """
    depth = len(Path("lib/pythonX.Y/site-packages").parts)
    environment, new = source.parents[depth - 1], target.parents[depth - 1]
    inside = source.relative_to(environment)
    launchers = {
        entry.name for entry in distribution.entry_points if entry.group in LAUNCHED
    }
    for file in distribution.files or []:
        path = Path(os.path.normpath(inside / file))
        if path.is_absolute() or ".." in path.parts or "__pycache__" in path.parts:
            continue
        script = path.parts[0] == "bin"
        if script and (len(path.parts) != 2 or path.name in launchers):
            continue
        old, copy = environment / path, new / path
        if not old.is_file() or copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if script:
            content = old.read_bytes()
            copy.write_bytes(with_interpreter(content, environment / "bin", location))
        else:
            shutil.copyfile(old, copy)
        if script or old.stat().st_mode & 0o111:
            copy.chmod(0o755)


def write_launcher(entry: EntryPoint, folder: Path, interpreter: str) -> None:
    """Write the script of an entry point that is a command (PyPA, "Entry points")."""
    module, _, name = entry.value.partition("[")[0].partition(":")
    script = folder / entry.name
    script.write_text(
        LAUNCHER.format(
            interpreter=interpreter,
            module=module.strip(),
            first=name.strip().split(".")[0],
            callable=name.strip(),
        )
    )
    script.chmod(0o755)


def write_environment(source: Path, target: Path, python: Path, location: str) -> None:
    """Write a virtual environment.

    source: the folder `site-packages` of the environment to copy; target: the new
    environment's folder, which must not exist; python: the interpreter below it;
    location: the path at which it is going to lie.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site_packages = target / "lib" / version / "site-packages"
    binaries = target / "bin"
    site_packages.mkdir(parents=True)
    binaries.mkdir()
    for name in ("python", "python3", version):
        (binaries / name).symlink_to(python)
    for distribution in once_each(distributions(path=[str(source)])):
        copy_files(distribution, source, site_packages, location)
        for entry in distribution.entry_points:
            if entry.group in LAUNCHED:
                write_launcher(entry, binaries, f"{location}/bin/python")
    (target / "pyvenv.cfg").write_text(
        f"home = {python.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {'.'.join(map(str, sys.version_info[:3]))}\n"
    )


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write the environment; returns the exit status.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("--site-packages", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--location", required=True)
    arguments = parser.parse_args(words)
    write_environment(
        arguments.site_packages,
        arguments.target,
        arguments.python,
        arguments.location,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
