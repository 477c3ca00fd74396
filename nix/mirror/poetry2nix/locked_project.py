"""What pyproject.toml says of a project: groups, extras, Python, and its content-hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from packaging.utils import canonicalize_name
from poetry.core.constraints.version import Version, parse_constraint
from poetry.core.factory import Factory
from poetry.core.packages.dependency import Dependency
from resolution_error import ResolutionError

# Of poetry-core's own copy, which importing it brings into reach.
from lark.exceptions import LarkError  # isort: skip

# What poetry-core raises for text that is no version, marker or dependency.
MALFORMED = (KeyError, TypeError, ValueError, LarkError)

# The tables of tool.poetry, and of project, that go into the content-hash.
LEGACY_CONTENT = ("dependencies", "source", "extras", "dev-dependencies")
PROJECT_CONTENT = ("requires-python", "dependencies", "optional-dependencies")

# Groups that may be asked for where a project has none of that name.
USUAL_GROUPS = {"main", "dev"}


def read_dependency(name: str, specification: Any) -> Dependency:
    """A dependency as pyproject.toml and poetry.lock write it.

    Raises ResolutionError, which names it, where it is malformed.
    """
    try:
        if not isinstance(specification, (str, dict)):
            raise TypeError("neither a version nor a table")
        return Factory.create_dependency(name, specification)
    except MALFORMED as error:
        text = " ".join(str(error).split())
        raise ResolutionError(f"{name} = {specification!r}: {text}") from None


def as_list(specifications: Any) -> list[Any]:
    """The constraints of one dependency, of which there may be several."""
    return specifications if isinstance(specifications, list) else [specifications]


class Project:
    """A parsed pyproject.toml with the tables of Poetry, of PEP 621 and of PEP 735."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Raises ResolutionError where there is no table that Poetry reads."""
        self.poetry: Mapping[str, Any] = content.get("tool", {}).get("poetry", {})
        self.project: Mapping[str, Any] = content.get("project", {})
        self.standard_groups: Mapping[str, Any] = content.get("dependency-groups", {})
        if "poetry" not in content.get("tool", {}) and not self.project:
            raise ResolutionError(
                "pyproject.toml has neither a table tool.poetry nor project:"
                " is it a Poetry project? poetry init"
            )

    def has_standard_tables(self) -> bool:
        """Whether dependencies stand in [project] or [dependency-groups].

        Poetry 1 does not read them (PEP 621, PEP 735).
        """
        return bool(
            "dependencies" in self.project
            or "optional-dependencies" in self.project
            or self.standard_groups
        )

    def check_python(self, python: Version) -> None:
        """Raise ResolutionError where the project does not want this Python."""
        told = (
            ("requires-python", self.project.get("requires-python", "*")),
            ("python", self.poetry.get("dependencies", {}).get("python", "*")),
        )
        for key, requirement in told:
            try:
                allowed = parse_constraint(str(requirement)).allows(python)
            except ValueError as error:
                text = " ".join(str(error).split())
                raise ResolutionError(f"pyproject.toml: {key}: {text}") from None
            if not allowed:
                wanted = f"{python.major}.{python.minor}.*"
                raise ResolutionError(
                    f"pyproject.toml wants Python {requirement}, this is {python}:"
                    f' {key} = "{"==" if key != "python" else ""}{wanted}"'
                )

    def groups(self) -> dict[str, dict[str, Any]]:
        """The dependencies of each group that stand in tool.poetry, by name.

        The legacy table `dev-dependencies` is the group "dev" (Poetry's documentation,
        "Managing dependencies"). Groups of PEP 735 are there without dependencies:
        locks of their age tell the groups of each package. Names are normalised.
        """
        tables: dict[str, dict[str, Any]] = {
            "main": dict(self.poetry.get("dependencies", {}))
        }
        if "dev-dependencies" in self.poetry:
            tables["dev"] = dict(self.poetry["dev-dependencies"])
        for name in self.standard_groups:
            tables.setdefault(canonicalize_name(name), {})
        for name, group in self.poetry.get("group", {}).items():
            table = tables.setdefault(canonicalize_name(name), {})
            table.update(group.get("dependencies", {}))
        return tables

    def with_included(self, groups: Iterable[str]) -> list[str]:
        """The groups with those that they include (`include-groups`), each once."""
        defined = {
            canonicalize_name(name): group.get("include-groups", [])
            for name, group in self.poetry.get("group", {}).items()
        }
        found: list[str] = []
        waiting = list(groups)
        while waiting:
            group = canonicalize_name(waiting.pop(0))
            if group not in found:
                found.append(group)
                waiting += defined.get(group, [])
        return found

    def chosen_groups(self, groups: Iterable[str]) -> list[str]:
        """The names of groups, normalised.

        Raises ResolutionError where the project has no such group.
        """
        chosen = [str(canonicalize_name(group)) for group in groups]
        refuse_unknown("group", set(chosen) - USUAL_GROUPS, self.groups())
        return chosen

    def chosen_extras(self, extras: Iterable[str]) -> list[str]:
        """The names of extras, normalised; "*" stands for all.

        Raises ResolutionError where the project has no such extra.
        """
        names = [*self.poetry.get("extras", {})]
        names += self.project.get("optional-dependencies", {})
        defined = {str(canonicalize_name(name)) for name in names}
        asked = {str(canonicalize_name(extra)) for extra in extras}
        chosen = defined if "*" in asked else asked
        refuse_unknown("extra", chosen, defined)
        return sorted(chosen)

    def dependencies(
        self, groups: Iterable[str], extras: Iterable[str]
    ) -> list[Dependency]:
        """The dependencies of groups and extras that stand in tool.poetry.

        groups, extras: of chosen_groups and chosen_extras.
        """
        defined = {
            canonicalize_name(extra): names
            for extra, names in self.poetry.get("extras", {}).items()
        }
        in_extras = {
            canonicalize_name(name)
            for extra in extras
            for name in defined.get(canonicalize_name(extra), [])
        }
        tables = self.groups()
        found = []
        for group in self.with_included(groups):
            for name, specifications in tables.get(group, {}).items():
                if name.lower() == "python":
                    continue
                for specification in as_list(specifications):
                    dependency = read_dependency(name, specification)
                    if not dependency.is_optional() or dependency.name in in_extras:
                        found.append(dependency)
        return found

    def content_hashes(self) -> set[str]:
        """The content-hashes that a lock of this project may carry.

        SHA-256 of the tables that matter to the choice, as sorted JSON (Poetry, class
        Locker). Poetry 1.1 took the legacy tables alone, whether they are there or not;
        1.2 adds `group` where there is one; 2.0 adds [project], and takes legacy tables
        that are not there for nothing beside it; 2.3 adds [dependency-groups].
        """
        legacy = {key: self.poetry.get(key) for key in LEGACY_CONTENT}
        contents: list[Any] = [legacy]
        group = self.poetry.get("group")
        if group is not None:
            contents.append({**legacy, "group": group})
        own = {
            key: self.poetry[key]
            for key in (*LEGACY_CONTENT, "group")
            if self.poetry.get(key) is not None
        }
        project = {
            key: self.project[key]
            for key in PROJECT_CONTENT
            if self.project.get(key) is not None
        }
        tool = {"tool": {"poetry": own}}
        if project:
            contents.append({"project": project, **tool})
        if self.standard_groups:
            standard = {"dependency-groups": self.standard_groups, **tool}
            contents.append({"project": project, **standard} if project else standard)
        texts = [json.dumps(content, sort_keys=True) for content in contents]
        return {hashlib.sha256(text.encode()).hexdigest() for text in texts}

    def check_content_hash(self, metadata: Mapping[str, Any]) -> None:
        """Refuse a lock that is older than pyproject.toml, as Poetry does.

        metadata: the lock's table of that name. Raises ResolutionError.
        """
        told = metadata.get("content-hash")
        if told is not None and told not in self.content_hashes():
            raise ResolutionError(
                "poetry.lock is older than pyproject.toml (content-hash): poetry lock"
                " --no-update (Poetry 2: poetry lock)"
            )


def refuse_unknown(kind: str, chosen: Iterable[str], defined: Iterable[str]) -> None:
    """Raise ResolutionError where a chosen name is not defined."""
    for name in sorted(set(chosen) - set(defined)):
        has = ", ".join(sorted(defined)) or "none"
        raise ResolutionError(f"pyproject.toml has no {kind} {name!r} (it has: {has})")
