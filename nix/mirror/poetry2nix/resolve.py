"""Chooses the packages and files of an environment from pyproject.toml and poetry.lock.

Runs on the Python that the environment is for, so that markers (PEP 508) and wheel tags
(PEP 425, PEP 600) are the target's own. Prints a JSON list of objects with name,
version, file and sha256, sorted by name.
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
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from poetry.core.constraints.version import Version, parse_constraint
from poetry.core.factory import Factory
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import parse_marker

SOURCES_REFUSED = {"git", "url", "directory", "file"}

# The formats of poetry.lock that are known, by their first numbers.
FORMATS = ("1", "2")
LEGACY_CONTENT = ("dependencies", "source", "extras", "dev-dependencies")

# Groups that may be asked for where a project has none of that name.
USUAL_GROUPS = {"main", "dev"}


class ResolutionError(Exception):
    """The lock cannot be served; the message is one line: why, and what mends it."""


def marker_environment() -> dict[str, str]:
    """The target's markers (PEP 508, "Environment Markers").

    The kernel's release and version would make builds differ from machine to machine:
    they are empty.
    """
    environment = {name: str(value) for name, value in default_environment().items()}
    environment["platform_release"] = ""
    environment["platform_version"] = ""
    return environment


def read_dependency(name: str, specification: Any) -> Dependency:
    """A dependency as pyproject.toml and poetry.lock write it.

    Raises ResolutionError, which names it, where it is malformed.
    """
    try:
        if not isinstance(specification, (str, dict)):
            raise TypeError("neither a version nor a table")
        return Factory.create_dependency(name, specification)
    except (KeyError, TypeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ResolutionError(f"{name} = {specification!r}: {text}") from None


class Lock:
    """A poetry.lock of format 1.0 to 2.1."""

    def __init__(
        self, content: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        """content: the parsed file; environment: marker values, see marker_environment.

        Raises ResolutionError where the format is newer.
        """
        self.environment = dict(environment)
        self.python = Version.parse(environment["python_full_version"])
        self.metadata = content.get("metadata", {})
        form = str(self.metadata.get("lock-version", "1.0"))
        if form.split(".")[0] not in FORMATS:
            raise ResolutionError(
                f"poetry.lock is of format {form}, the mirror set reads"
                f" {' and '.join(FORMATS)}: lock it with a Poetry that writes 2.1"
            )
        self.packages: dict[str, list[Mapping[str, Any]]] = {}
        for package in content.get("package", []):
            name = canonicalize_name(package["name"])
            self.packages.setdefault(name, []).append(package)

    def files(self, package: Mapping[str, Any]) -> Sequence[Mapping[str, str]]:
        """The files of a package: its own since format 2.0, in `metadata` before."""
        if "files" in package:
            return list(package["files"])
        for name, files in self.metadata.get("files", {}).items():
            if canonicalize_name(name) == canonicalize_name(package["name"]):
                return list(files)
        return []

    def is_for_target(self, package: Mapping[str, Any]) -> bool:
        """Whether a locked package is for this Python and platform.

        Since format 2.1 it may have `markers`, one or one for each group.
        """
        supported = parse_constraint(package.get("python-versions", "*"))
        markers = package.get("markers", "")
        texts = list(markers.values()) if isinstance(markers, dict) else [markers]
        return supported.allows(self.python) and any(
            parse_marker(text).without_extras().validate(self.environment)
            for text in texts
        )

    def candidates(self, dependency: Dependency) -> list[Mapping[str, Any]]:
        """The locked packages that satisfy a dependency on this target.

        The newest comes first. Raises ResolutionError where there is none.
        """
        locked = self.packages.get(dependency.name, [])
        found = [
            package
            for package in locked
            if dependency.constraint.allows(Version.parse(package["version"]))
            and self.is_for_target(package)
        ]
        if not found:
            versions = ", ".join(package["version"] for package in locked) or "none"
            raise ResolutionError(
                f"poetry.lock has no {dependency.pretty_name}"
                f" {dependency.pretty_constraint} for Python {self.python}"
                f" (locked: {versions}): poetry lock"
            )
        return sorted(
            found, key=lambda package: Version.parse(package["version"]), reverse=True
        )

    def dependencies(
        self, package: Mapping[str, Any], extras: Iterable[str]
    ) -> list[Dependency]:
        """What a locked package needs on this target, with these extras of it."""
        asked = {canonicalize_name(extra) for extra in extras}
        wanted_by_extra: set[str] = set()
        defined = {
            canonicalize_name(extra): [Dependency.create_from_pep_508(t) for t in texts]
            for extra, texts in package.get("extras", {}).items()
        }
        waiting = sorted(asked)
        while waiting:
            for dependency in defined.get(canonicalize_name(waiting.pop()), []):
                wanted_by_extra.add(dependency.name)
                # An extra may stand for others of the same package.
                if dependency.name == canonicalize_name(package["name"]):
                    new = set(map(canonicalize_name, dependency.extras)) - asked
                    asked |= new
                    waiting += sorted(new)
        found = []
        for name, specifications in package.get("dependencies", {}).items():
            if not isinstance(specifications, list):
                specifications = [specifications]
            for specification in specifications:
                dependency = read_dependency(name, specification)
                if dependency.is_optional() and dependency.name not in wanted_by_extra:
                    continue
                if self.applies(dependency, asked):
                    found.append(dependency)
        return found

    def applies(self, dependency: Dependency, extras: Iterable[str] = ()) -> bool:
        """Whether a dependency's markers hold on this target."""
        values: dict[str, Any] = {**self.environment, "extra": tuple(extras)}
        return bool(dependency.marker.validate(values))


def root_dependencies(
    project: Mapping[str, Any], groups: Iterable[str], extras: Iterable[str]
) -> list[Dependency]:
    """The dependencies of a project's chosen groups and extras.

    project: the table `tool.poetry`. groups: "main" and the names of groups; the legacy
    table `dev-dependencies` is the group "dev" (Poetry's documentation, "Managing
    dependencies"). extras: names, or "*" for all.
    Raises ResolutionError where the project has no such group or extra.
    """
    tables: dict[str, Mapping[str, Any]] = {"main": project.get("dependencies", {})}
    if "dev-dependencies" in project:
        tables["dev"] = project["dev-dependencies"]
    for name, group in project.get("group", {}).items():
        tables[name] = {**tables.get(name, {}), **group.get("dependencies", {})}
    defined: dict[str, Any] = {
        canonicalize_name(extra): names
        for extra, names in project.get("extras", {}).items()
    }
    asked: set[str] = {canonicalize_name(extra) for extra in extras}
    chosen = set(defined) if "*" in asked else asked
    refuse_unknown("extra", chosen, defined)
    groups = list(groups)
    refuse_unknown("group", set(groups) - USUAL_GROUPS, tables)
    in_extras = {canonicalize_name(name) for extra in chosen for name in defined[extra]}
    found = []
    for group in groups:
        for name, specifications in tables.get(group, {}).items():
            if name.lower() == "python":
                continue
            if not isinstance(specifications, list):
                specifications = [specifications]
            for specification in specifications:
                dependency = read_dependency(name, specification)
                if dependency.is_optional() and dependency.name not in in_extras:
                    continue
                found.append(dependency)
    return found


def refuse_unknown(kind: str, chosen: Iterable[str], defined: Iterable[str]) -> None:
    """Raise ResolutionError where a chosen name is not defined."""
    for name in sorted(set(chosen) - set(defined)):
        has = ", ".join(sorted(defined)) or "none"
        raise ResolutionError(f"pyproject.toml has no {kind} {name!r} (it has: {has})")


def walk(lock: Lock, roots: Iterable[Dependency]) -> list[Mapping[str, Any]]:
    """All locked packages that the roots need on this target, sorted by name.

    Where the lock has several versions of a package for this target, the newest that
    agrees with every other package's wishes is taken, as Poetry's solver does.
    Raises ResolutionError where none does.
    """
    chosen = _walk(lock, [root for root in roots if lock.applies(root)], {})
    return [chosen[name] for name in sorted(chosen)]


def _walk(
    lock: Lock, roots: Sequence[Dependency], decided: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    chosen: dict[str, Mapping[str, Any]] = {}
    seen: set[tuple[str, str, frozenset[str]]] = set()
    waiting = list(roots)
    while waiting:
        dependency = waiting.pop(0)
        name = dependency.name
        key = (name, str(dependency.constraint), frozenset(dependency.extras))
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


def choose_file(
    package: Mapping[str, Any],
    files: Iterable[Mapping[str, str]],
    ranks: Mapping[Any, int],
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
            if best is None or candidate[:3] < best[:3]:
                best = candidate
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
            place = f"{source['type']} {source.get('url', '')}"
            raise ResolutionError(
                f"{package['name']} comes from {place}: the mirror set serves packages"
                " of an index alone"
            )


def content_hashes(project: Mapping[str, Any]) -> set[str]:
    """The content-hashes that a lock of this project may carry.

    SHA-256 of the tables that matter to the choice as sorted JSON: since Poetry 1.2
    with `group` where there is one, before without (Poetry, class Locker).
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
            "poetry.lock is older than pyproject.toml (content-hash): poetry lock"
            " --no-update (Poetry 2: poetry lock)"
        )


def resolve(
    pyproject: Mapping[str, Any],
    lock_content: Mapping[str, Any],
    groups: Iterable[str],
    extras: Iterable[str],
) -> list[dict[str, str]]:
    """The packages of an environment with the file of each.

    pyproject, lock_content: the parsed files. Raises ResolutionError.
    """
    project = pyproject.get("tool", {}).get("poetry")
    if project is None:
        raise ResolutionError("pyproject.toml has no table tool.poetry")
    if "dependencies" in pyproject.get("project", {}):
        raise ResolutionError(
            "pyproject.toml has its dependencies in [project], which poetry2nix does"
            " not read: move them to [tool.poetry.dependencies]"
        )
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
    arguments = parser.parse_args(words)
    try:
        chosen = resolve(
            read_toml(arguments.pyproject),
            read_toml(arguments.lock),
            list(filter(None, arguments.groups.split(","))),
            list(filter(None, arguments.extras.split(","))),
        )
    except ResolutionError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    json.dump(chosen, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
