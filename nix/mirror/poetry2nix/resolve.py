"""Chooses the packages and files of an environment from pyproject.toml and poetry.lock.

Runs on the Python that the environment is for, so that markers (PEP 508) and wheel tags
(PEP 425, PEP 600) are the target's own. Prints a JSON list of objects with name, version,
file and sha256, sorted by name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import tomli
from packaging.markers import default_environment
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from poetry.core.constraints.version import Version, parse_constraint
from poetry.core.factory import Factory
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import parse_marker

SOURCES_REFUSED = {"git", "url", "directory", "file"}
LEGACY_CONTENT = ("dependencies", "source", "extras", "dev-dependencies")


class ResolutionError(Exception):
    """The lock cannot be served; the message is one line that says why and what mends it."""


def marker_environment() -> dict[str, str]:
    """The target's markers (PEP 508, "Environment Markers").

    The kernel's release and version would make builds differ from machine to machine:
    they are empty.
    """
    environment = {name: str(value) for name, value in default_environment().items()}
    environment["platform_release"] = ""
    environment["platform_version"] = ""
    return environment


class Lock:
    """A poetry.lock of format 1.1, 2.0 or 2.1."""

    def __init__(self, content: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """content: the parsed file; environment: marker values, see marker_environment."""
        self.environment = dict(environment)
        self.python = Version.parse(environment["python_full_version"])
        self.metadata = content.get("metadata", {})
        self.packages: dict[str, list[Mapping[str, Any]]] = {}
        for package in content.get("package", []):
            name = canonicalize_name(package["name"])
            self.packages.setdefault(name, []).append(package)

    def files(self, package: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
        """The files of a package: its own since format 2.0, in `metadata` before."""
        if "files" in package:
            return list(package["files"])
        listed = self.metadata.get("files", {})
        return list(listed.get(package["name"], []))

    def find(self, dependency: Dependency) -> Mapping[str, Any]:
        """The locked package that satisfies a dependency on this Python.

        Raises ResolutionError where there is none.
        """
        for package in self.packages.get(dependency.name, []):
            supported = parse_constraint(package.get("python-versions", "*"))
            if supported.allows(self.python) and dependency.constraint.allows(
                Version.parse(package["version"])
            ):
                return package
        locked = [package["version"] for package in self.packages.get(dependency.name, [])]
        raise ResolutionError(
            f"poetry.lock has no {dependency.pretty_name} {dependency.pretty_constraint}"
            f" for Python {self.python} (locked: {', '.join(locked) or 'none'}): poetry lock"
        )

    def dependencies(
        self, package: Mapping[str, Any], extras: Iterable[str]
    ) -> list[Dependency]:
        """What a locked package needs on this target, with these extras of it."""
        asked = set(extras)
        wanted_by_extra = {
            canonicalize_name(Dependency.create_from_pep_508(text).name)
            for extra, texts in package.get("extras", {}).items()
            if canonicalize_name(extra) in asked
            for text in texts
        }
        found = []
        for name, specifications in package.get("dependencies", {}).items():
            if not isinstance(specifications, list):
                specifications = [specifications]
            for specification in specifications:
                dependency = Factory.create_dependency(name, specification)
                if dependency.is_optional() and dependency.name not in wanted_by_extra:
                    continue
                if self.applies(dependency, asked):
                    found.append(dependency)
        return found

    def applies(self, dependency: Dependency, extras: Iterable[str] = ()) -> bool:
        """Whether a dependency's markers hold on this target."""
        marker = parse_marker(str(dependency.marker))
        values: dict[str, Any] = {**self.environment, "extra": tuple(extras)}
        return bool(marker.validate(values))


def root_dependencies(
    project: Mapping[str, Any], groups: Iterable[str], extras: Iterable[str]
) -> list[Dependency]:
    """The dependencies of a project's chosen groups and extras.

    project: the table `tool.poetry`. groups: "main" and the names of groups; the legacy
    table `dev-dependencies` is the group "dev" (Poetry's documentation, "Managing
    dependencies"). extras: names, or "*" for all.
    """
    tables: dict[str, Mapping[str, Any]] = {"main": project.get("dependencies", {})}
    if "dev-dependencies" in project:
        tables["dev"] = project["dev-dependencies"]
    for name, group in project.get("group", {}).items():
        tables[name] = {**tables.get(name, {}), **group.get("dependencies", {})}
    defined = project.get("extras", {})
    chosen = set(defined) if "*" in set(extras) else set(extras)
    unknown = sorted(chosen - set(defined))
    if unknown:
        raise ResolutionError(
            f"pyproject.toml defines no extra {unknown[0]!r} (it has: {sorted(defined)})"
        )
    in_extras = {canonicalize_name(name) for extra in chosen for name in defined[extra]}
    found = []
    for group in groups:
        for name, specifications in tables.get(group, {}).items():
            if name.lower() == "python":
                continue
            if not isinstance(specifications, list):
                specifications = [specifications]
            for specification in specifications:
                dependency = Factory.create_dependency(name, specification)
                if dependency.is_optional() and dependency.name not in in_extras:
                    continue
                found.append(dependency)
    return found


def walk(lock: Lock, roots: Iterable[Dependency]) -> list[Mapping[str, Any]]:
    """All locked packages that the roots need on this target, sorted by name."""
    chosen: dict[str, Mapping[str, Any]] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [dependency for dependency in roots if lock.applies(dependency)]
    while waiting:
        dependency = waiting.pop()
        key = (dependency.name, frozenset(dependency.extras))
        if key in seen:
            continue
        seen.add(key)
        package = lock.find(dependency)
        chosen[dependency.name] = package
        waiting += lock.dependencies(package, dependency.extras)
    return [chosen[name] for name in sorted(chosen)]


def choose_file(
    package: Mapping[str, Any], files: Iterable[Mapping[str, str]], ranks: Mapping[Any, int]
) -> Mapping[str, str]:
    """The best wheel of a package: the one whose tag the target likes most.

    ranks: each tag of the target to its place in the order of preference.
    Raises ResolutionError where no wheel fits.
    """
    best: Optional[tuple[int, int, str, Mapping[str, str]]] = None
    names = []
    for file in files:
        names.append(file["file"])
        try:
            _, _, build, tags = parse_wheel_filename(file["file"])
        except InvalidWheelFilename:
            continue
        places = [ranks[tag] for tag in tags if tag in ranks]
        if places:
            number = build[0] if build else -1
            candidate = (min(places), -number, file["file"], file)
            best = candidate if best is None else min(best, candidate, key=lambda c: c[:3])
    if best is None:
        kind = "it is locked as source only" if names else "the lock lists no files"
        if any(name.endswith(".whl") for name in names):
            kind = f"none of its {len(names)} files is for it"
        raise ResolutionError(
            f"{package['name']} {package['version']} has no wheel for this Python"
            f" {sys.version_info[0]}.{sys.version_info[1]} on this platform ({kind}):"
            " lock a version that has one"
        )
    return best[3]


def check_sources(packages: Iterable[Mapping[str, Any]]) -> None:
    """Refuse packages that come from elsewhere than a package index."""
    for package in packages:
        source = package.get("source", {})
        if source.get("type") in SOURCES_REFUSED:
            raise ResolutionError(
                f"{package['name']} comes from {source['type']} {source.get('url', '')}:"
                " the mirror set serves packages of an index alone"
            )


def content_hashes(project: Mapping[str, Any]) -> set[str]:
    """The content-hashes that a lock of this project may carry.

    SHA-256 of the tables that matter to the choice as sorted JSON: since Poetry 1.2 with
    `group` where there is one, before without (Poetry, class Locker).
    """
    legacy = {key: project.get(key) for key in LEGACY_CONTENT}
    contents = [legacy]
    if project.get("group") is not None:
        contents.append({**legacy, "group": project["group"]})
    texts = [json.dumps(content, sort_keys=True) for content in contents]
    return {hashlib.sha256(text.encode()).hexdigest() for text in texts}


def check_content_hash(project: Mapping[str, Any], lock: Lock) -> None:
    """Refuse a lock that is older than pyproject.toml, as Poetry does."""
    told = lock.metadata.get("content-hash")
    if told is not None and told not in content_hashes(project):
        raise ResolutionError(
            "poetry.lock is older than pyproject.toml (content-hash): poetry lock --no-update"
        )


def resolve(
    pyproject: Mapping[str, Any],
    lock_content: Mapping[str, Any],
    groups: Iterable[str],
    extras: Iterable[str],
) -> list[dict[str, str]]:
    """The packages of an environment with the file of each."""
    project = pyproject.get("tool", {}).get("poetry")
    if project is None:
        raise ResolutionError("pyproject.toml has no table tool.poetry")
    lock = Lock(lock_content, marker_environment())
    check_content_hash(project, lock)
    requirement = str(project.get("dependencies", {}).get("python", "*"))
    if not parse_constraint(requirement).allows(lock.python):
        raise ResolutionError(
            f"pyproject.toml wants Python {requirement}, this is {lock.python}:"
            f' python = "{lock.python.major}.{lock.python.minor}.*"'
        )
    packages = walk(lock, root_dependencies(project, groups, extras))
    check_sources(packages)
    ranks = {tag: place for place, tag in reversed(list(enumerate(sys_tags())))}
    chosen = []
    for package in packages:
        file = choose_file(package, lock.files(package), ranks)
        algorithm, _, digest = file["hash"].partition(":")
        if algorithm != "sha256":
            raise ResolutionError(
                f"{file['file']} is locked by {algorithm}, not by sha256: poetry lock"
            )
        chosen.append(
            {
                "name": canonicalize_name(package["name"]),
                "version": package["version"],
                "file": file["file"],
                "sha256": digest,
            }
        )
    return chosen


def main() -> int:
    """Print the choice; returns 1 with one line on standard error where there is none."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pyproject", type=Path)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--groups", default="main")
    parser.add_argument("--extras", default="*")
    arguments = parser.parse_args()
    try:
        chosen = resolve(
            tomli.loads(arguments.pyproject.read_text(encoding="utf-8")),
            tomli.loads(arguments.lock.read_text(encoding="utf-8")),
            filter(None, arguments.groups.split(",")),
            list(filter(None, arguments.extras.split(","))),
        )
    except ResolutionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    json.dump(chosen, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
