"""Helpers of these tests: locks made by hand, and what is chosen of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import resolve
from target import Target

# What these tests resolve for: the platform image's Python.
TARGET = Target("3.9.2", "2.31")
FEATURE_VERSION = TARGET.feature_version


def file_of(name: str) -> dict[str, str]:
    """A file of a lock."""
    return {"file": name, "hash": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"}


def wheel_of(name: str, version: str, tag: str = "py3-none-any") -> dict[str, str]:
    """A wheel of a lock."""
    return file_of(f"{name.replace('-', '_')}-{version}-{tag}.whl")


def package(
    name: str,
    version: str = "1.0",
    dependencies: Optional[Mapping[str, Any]] = None,
    files: Optional[Sequence[Mapping[str, str]]] = None,
    **more: Any,
) -> dict[str, Any]:
    """A package of a lock."""
    return {
        "name": name,
        "version": version,
        "optional": False,
        "python-versions": "*",
        "dependencies": dict(dependencies or {}),
        "files": [wheel_of(name, version)] if files is None else list(files),
        **{key.replace("_", "-"): value for key, value in more.items()},
    }


def describe(
    project: Mapping[str, Any],
    packages: Sequence[Mapping[str, Any]],
    groups: Sequence[str] = ("main",),
    extras: Sequence[str] = ("*",),
    version: str = "2.0",
) -> list[dict[str, str]]:
    """What is chosen; project: the table tool.poetry, or with "tool" all tables."""
    lock = {"package": list(packages), "metadata": {"lock-version": version}}
    pyproject = project if "tool" in project else {"tool": {"poetry": project}}
    return resolve.resolve(pyproject, lock, groups, extras, TARGET)


def choose(*words: Any, **more: Any) -> dict[str, str]:
    """The versions that are chosen, by name; takes what `describe` takes."""
    return {each["name"]: each["version"] for each in describe(*words, **more)}


def needs(**dependencies: Any) -> dict[str, Any]:
    """A table tool.poetry with these dependencies."""
    return {"dependencies": {"python": "*", **dependencies}}
