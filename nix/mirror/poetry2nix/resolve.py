"""Chooses the packages and files of an environment from pyproject.toml and poetry.lock.

Prints a JSON list of objects, sorted by name:

    name, version   of the package, the name normalised (PEP 503)
    kind            "wheel", "source" (an archive) or "folder" (a path dependency)
    file, sha256    of a wheel or an archive
    path            of what lies beside poetry.lock, relative to it
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import tomli
from distribution_files import choose_file, sha256_of
from locked_packages import Lock, Package
from locked_project import Project
from packaging.utils import canonicalize_name
from poetry.core.packages.dependency import Dependency
from resolution_error import ResolutionError
from target import Target


def walk(lock: Lock, roots: Iterable[Dependency]) -> list[Package]:
    """All locked packages that the roots need on this target, sorted by name.

    Where the lock has several versions of a package for this target, the newest that
    agrees with every other package's wishes is taken, as Poetry's solver does.
    Raises ResolutionError where none does.
    """
    chosen = _walk(lock, [root for root in roots if lock.applies(root)], {})
    return [chosen[name] for name in sorted(chosen)]


def _walk(
    lock: Lock, roots: Sequence[Dependency], decided: Mapping[str, Package]
) -> dict[str, Package]:
    chosen: dict[str, Package] = {}
    seen: set[tuple[Any, ...]] = set()
    waiting = list(roots)
    while waiting:
        dependency = waiting.pop(0)
        name = dependency.name
        key = (
            *(name, str(dependency.constraint), frozenset(dependency.extras)),
            *(dependency.source_type, dependency.source_name),
        )
        if key in seen:
            continue
        seen.add(key)
        candidates = lock.candidates(dependency)
        previous = chosen.get(name, decided.get(name))
        if previous is not None:
            if not any(candidate is previous for candidate in candidates):
                raise ResolutionError(
                    f"{name} {previous['version']} and {dependency.pretty_constraint}"
                    " of it are both needed: poetry lock"
                )
            candidates = [previous]
        if len(candidates) > 1:
            failure: Optional[ResolutionError] = None
            for candidate in candidates:
                try:
                    return _walk(lock, roots, {**decided, **chosen, name: candidate})
                except ResolutionError as error:
                    failure = failure or error
            assert failure is not None
            raise failure
        chosen[name] = candidates[0]
        waiting += lock.dependencies(candidates[0], dependency.extras)
    return chosen


def choose_packages(
    project: Project, lock: Lock, groups: Iterable[str], extras: Iterable[str]
) -> list[Package]:
    """The locked packages of groups and extras, sorted by name.

    A lock of format 2.1 tells them itself; from an older one they are found by walking
    from dependency to dependency. Raises ResolutionError.
    """
    chosen_groups = project.chosen_groups(groups)
    chosen_extras = project.chosen_extras(extras)
    if lock.tells_groups():
        return lock.in_groups(chosen_groups, chosen_extras)
    if project.has_standard_tables():
        raise ResolutionError(
            "pyproject.toml has dependencies in [project] or [dependency-groups], which"
            " the Poetry that wrote poetry.lock does not read: poetry lock with"
            " Poetry 2, or move them to [tool.poetry.dependencies]"
        )
    return walk(lock, project.dependencies(chosen_groups, chosen_extras))


def describe(
    package: Package, files: Sequence[Mapping[str, str]], target: Target
) -> dict[str, str]:
    """What a package is installed from, as this program prints it.

    A URL is taken for the name of a file: whoever serves that file, its SHA-256 is the
    same. Raises ResolutionError where it is nothing that the mirror set can take.
    """
    source = package.get("source", {})
    kind, url = source.get("type"), str(source.get("url", ""))
    described = {
        "name": str(canonicalize_name(package["name"])),
        "version": str(package["version"]),
    }
    if kind == "git":
        raise ResolutionError(
            f"{package['name']} {package['version']} comes from a git repository, which"
            " no package index serves: publish it to your index, or keep a copy in the"
            f' project: {package["name"]} = {{ path = "…" }}'
        )
    if source.get("subdirectory"):
        raise ResolutionError(
            f"{package['name']} {package['version']} is a subdirectory of an archive:"
            " publish it to your index"
        )
    if kind == "directory":
        return {**described, "kind": "folder", "path": url}
    if kind in ("url", "file"):
        name = url.partition("#")[0].partition("?")[0].rpartition("/")[2]
        files = [file for file in files if file["file"] == name]
        if not files:
            raise ResolutionError(
                f"{name} of {package['name']} {package['version']} is locked without"
                " sha256: poetry lock with Poetry 1.8 or newer"
            )
    file = choose_file(package, files, target)
    described["kind"] = "wheel" if file["file"].endswith(".whl") else "source"
    described.update(file=file["file"], sha256=sha256_of(file))
    return {**described, "path": url} if kind == "file" else described


def resolve(
    pyproject: Mapping[str, Any],
    lock_content: Mapping[str, Any],
    groups: Iterable[str],
    extras: Iterable[str],
    target: Target,
) -> list[dict[str, str]]:
    """The packages of an environment, each with what it is installed from.

    pyproject, lock_content: the parsed files; groups: "main" and names of groups;
    extras: names, or "*" for all. Raises ResolutionError.
    """
    project = Project(pyproject)
    lock = Lock(lock_content, target.markers())
    project.check_content_hash(lock.metadata)
    project.check_python(lock.python)
    packages = choose_packages(project, lock, groups, extras)
    return [describe(package, lock.files(package), target) for package in packages]


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file. Raises ResolutionError where it cannot be read."""
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResolutionError(f"{path.name}: {error.strerror}") from None
    except ValueError as error:
        raise ResolutionError(f"{path.name} is no TOML: {error}") from None


def main(words: Optional[Sequence[str]] = None) -> int:
    """Print the choice; returns 1 with one line on standard error where there is none.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("pyproject", type=Path)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--groups", default="main")
    parser.add_argument("--extras", default="*")
    parser.add_argument("--python", required=True, help="version of the target")
    parser.add_argument("--glibc", required=True, help="version of its C library")
    arguments = parser.parse_args(words)
    # It would warn of path dependencies that do not lie beside these two files.
    logging.getLogger("poetry.core").setLevel(logging.ERROR)
    try:
        chosen = resolve(
            read_toml(arguments.pyproject),
            read_toml(arguments.lock),
            list(filter(None, arguments.groups.split(","))),
            list(filter(None, arguments.extras.split(","))),
            Target(arguments.python, arguments.glibc),
        )
    except ResolutionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    json.dump(chosen, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
