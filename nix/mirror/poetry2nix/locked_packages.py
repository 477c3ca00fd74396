"""The packages of a poetry.lock, of format 1.0 to 2.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from locked_project import MALFORMED, as_list, read_dependency
from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version, parse_constraint
from poetry.core.packages.dependency import Dependency
from poetry.core.version.markers import BaseMarker, parse_marker
from resolution_error import ResolutionError

# The formats of poetry.lock that are known, by their first numbers.
FORMATS = ("1", "2")

# Sources (the table `source`) of packages by what a dependency on them says; an index
# is the source of all others.
SOURCES = {
    "git": {"git"},
    "url": {"url"},
    "directory": {"directory", "file"},
    "file": {"directory", "file"},
}

Package = Mapping[str, Any]


def read_extra(text: str) -> Dependency:
    """What an extra of a locked package stands for.

    Old locks write no PEP 508 here: `a[x] (>=1)` (Poetry, class Locker).

    >>> read_extra("a[x,y] (>=1,<2)").name
    'a'
    """
    try:
        return Dependency.create_from_pep_508(text)
    except MALFORMED:
        found = re.match(r"^(.+?)(?:\[(.+?)])?(?:\s+\((.+)\))?$", text)
        if found is None:
            raise ResolutionError(f"poetry.lock: no extra: {text!r}: poetry lock")
        extras = found[2].split(",") if found[2] else []
        return Dependency(found[1], found[3] or "*", extras=extras)


def read_marker(text: str) -> BaseMarker:
    """A marker (PEP 508); empty for none. Raises ResolutionError."""
    try:
        return parse_marker(text)
    except MALFORMED:
        raise ResolutionError(
            f"poetry.lock: no marker: {text!r}: poetry lock"
        ) from None


class Lock:
    """A poetry.lock."""

    def __init__(
        self, content: Mapping[str, Any], environment: Mapping[str, str]
    ) -> None:
        """content: the parsed file; environment: marker values, see Target.markers.

        Raises ResolutionError where the format is newer, or a package lacks its name.
        """
        self.environment = dict(environment)
        self.python = Version.parse(environment["python_full_version"])
        self.metadata: Mapping[str, Any] = content.get("metadata", {})
        form = str(self.metadata.get("lock-version", "1.0"))
        if form.split(".")[0] not in FORMATS:
            raise ResolutionError(
                f"poetry.lock is of format {form}, the mirror set reads"
                f" {' and '.join(FORMATS)}: lock it with a Poetry that writes 2.1"
            )
        self.format = tuple(int(part) for part in re.findall(r"\d+", form))
        self.packages: dict[str, list[Package]] = {}
        for package in content.get("package", []):
            if not {"name", "version"} <= set(package):
                raise ResolutionError(
                    "poetry.lock has a package without name or version: poetry lock"
                )
            name = canonicalize_name(package["name"])
            self.packages.setdefault(name, []).append(package)

    def tells_groups(self) -> bool:
        """Whether packages tell their groups and markers, as since format 2.1."""
        return self.format >= (2, 1)

    def files(self, package: Package) -> Sequence[Mapping[str, str]]:
        """The files of a package: its own since format 2.0, in `metadata` before.

        Before, they are those of all locked versions of it.
        """
        if "files" in package:
            return list(package["files"])
        for name, files in self.metadata.get("files", {}).items():
            if canonicalize_name(name) == canonicalize_name(package["name"]):
                return list(files)
        return []

    def in_groups(self, groups: Iterable[str], extras: Iterable[str]) -> list[Package]:
        """The packages of a lock that tells groups, sorted by name.

        groups, extras: normalised names. It is the choice of `poetry install` since
        Poetry 2.0, which solves nothing anew (class Transaction). Where a group has
        several versions of a package, that one is taken which all groups have.
        Raises ResolutionError where there is none.
        """
        groups = set(groups)
        values: dict[str, Any] = {**self.environment, "extra": set(extras)}
        chosen = []
        for name in sorted(self.packages):
            wanted: dict[str, list[Package]] = {}
            for package in self.packages[name]:
                for group, text in group_markers(package).items():
                    if group in groups and read_marker(text).validate(values):
                        wanted.setdefault(group, []).append(package)
            if wanted:
                chosen.append(newest_of_all(name, list(wanted.values())))
        return chosen

    def is_for_target(self, package: Package) -> bool:
        """Whether a locked package is for this Python."""
        supported = parse_constraint(package.get("python-versions", "*"))
        return supported.allows(self.python)

    def candidates(self, dependency: Dependency) -> list[Package]:
        """The locked packages that satisfy a dependency on this target.

        The newest comes first. Raises ResolutionError where there is none.
        """
        locked = self.packages.get(dependency.name, [])
        found = [
            package
            for package in locked
            if dependency.constraint.allows(Version.parse(package["version"]))
            and comes_from(package, dependency)
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

    def dependencies(self, package: Package, extras: Iterable[str]) -> list[Dependency]:
        """What a locked package needs on this target, with these extras of it."""
        asked = {canonicalize_name(extra) for extra in extras}
        wanted_by_extra: set[str] = set()
        defined = {
            canonicalize_name(extra): [read_extra(text) for text in texts]
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
            for specification in as_list(specifications):
                dependency = read_dependency(name, specification)
                if dependency.is_optional() and dependency.name not in wanted_by_extra:
                    continue
                if self.applies(dependency, asked):
                    found.append(dependency)
        return found

    def applies(self, dependency: Dependency, extras: Iterable[str] = ()) -> bool:
        """Whether a dependency's markers hold on this target."""
        values: dict[str, Any] = {**self.environment, "extra": set(extras)}
        return bool(dependency.marker.validate(values))


def group_markers(package: Package) -> dict[str, str]:
    """The marker of a package in each of its groups, of format 2.1.

    `markers` is one for all groups, or a table of those groups that have one.

    >>> group_markers({"groups": ["main", "dev"], "markers": {"dev": "os_name == 'nt'"}})
    {'main': '', 'dev': "os_name == 'nt'"}
    """
    markers = package.get("markers", "")
    return {
        canonicalize_name(group): str(
            markers.get(group, "") if isinstance(markers, dict) else markers
        )
        for group in package.get("groups", [])
    }


def newest_of_all(name: str, wanted: Sequence[Sequence[Package]]) -> Package:
    """The newest package that is in each list. Raises ResolutionError without one."""
    common = [
        package
        for package in wanted[0]
        if all(any(package is each for each in others) for others in wanted)
    ]
    if not common:
        versions = sorted(
            {str(each["version"]) for others in wanted for each in others}
        )
        raise ResolutionError(
            f"poetry.lock has {name} {' and '.join(versions)} for these groups and"
            " extras: ask for fewer, or poetry lock"
        )
    return max(common, key=lambda package: Version.parse(package["version"]))


def comes_from(package: Package, dependency: Dependency) -> bool:
    """Whether a locked package comes from where a dependency says, if it does."""
    source = package.get("source", {})
    if dependency.source_type in SOURCES:
        return source.get("type") in SOURCES[dependency.source_type]
    if dependency.source_name and "reference" in source:
        return bool(dependency.source_name.lower() == source["reference"].lower())
    return True
