"""Finds out whether the application's module exists, without importing anything.

A worker that does not find its application ends with a traceback from the depths of the
import system. Who has started an image without an application wants to know what was
looked for, where, and what to do.

Source: Python's reference, "The import system".
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from typing import NamedTuple

# What a package's own code names if it looks for its modules in further places.
SIGNS_OF_OWN_SEARCH = (b"__path__", b"sys.modules")


class Package(NamedTuple):
    """A package on the way to a module: where it is, and its file if it has one."""

    name: str
    folders: Sequence[str]
    file: str | None


def find_module(name: str, folders: Sequence[str] | None) -> ModuleSpec | None:
    """Return the specification of a module in a package's folders, or ``None``.

    ``None`` for the folders stands for ``sys.path``. Asked are all finders, for
    editable installations have finders of their own. The path finder gets the last part
    of the name alone: for a namespace package it would otherwise look for the parent
    among the imported modules, where it is not.
    """
    for finder in sys.meta_path:
        if not hasattr(finder, "find_spec"):
            continue
        is_path_finder = finder is PathFinder
        asked = name.rpartition(".")[2] if is_path_finder else name
        specification: ModuleSpec | None = finder.find_spec(asked, folders)
        if specification is not None:
            return specification
    return None


def is_unreadable(path: str | None) -> bool:
    """Return whether a file or folder exists and this process may not read it."""
    if path is None:
        return False
    mode = os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK
    return os.path.exists(path) and not os.access(path, mode)


def unreadable(path: str) -> str:
    """Return the sentence about a path that this process may not read."""
    user = f"user {os.geteuid()}, group {os.getegid()}"
    return (
        f"{path} may not be read by the server ({user}): "
        f"make it readable, as chmod -R a+rX {path} does"
    )


def searches_itself(package: Package) -> bool:
    """Return whether a package's code may look for modules in further places."""
    if package.file is None or not os.path.isfile(package.file):
        return False
    with open(package.file, "rb") as file:
        code = file.read()
    return any(sign in code for sign in SIGNS_OF_OWN_SEARCH)


def missing_in_package(module: str, package: Package, part: str, is_last: bool) -> str:
    """Return the sentence about a package that lacks the next part of a module."""
    for folder in package.folders:
        for path in (folder, os.path.join(folder, part)):
            if is_unreadable(path):
                return unreadable(path)
    kind = "package" if package.file else "folder"
    folder = ", ".join(package.folders)
    file = f"{part}.py" if is_last else f"{part}/"
    return (
        f"there is no module {module}: the {kind} {package.name} ({folder}) "
        f"has no {file}: mount or copy it there"
    )


def missing_at_top(module: str, folders: Sequence[str]) -> str:
    """Return the sentence about a module of which not even the first part exists."""
    parts = module.split(".")
    name = parts[0] if len(parts) > 1 else f"{parts[0]}.py"
    kind = "the folder " if len(parts) > 1 else ""
    for folder in folders:
        for path in (folder, os.path.join(folder, name)):
            if is_unreadable(path):
                return unreadable(path)
    return (
        f"there is no module {module} ({'/'.join(parts)}.py) in {', '.join(folders)}: "
        f"mount or copy {kind}{name} to {os.path.join(folders[0], name)}"
    )


def why_missing(module: str, folders: Sequence[str]) -> str | None:
    """Return why a module cannot be imported, or ``None`` if it probably can.

    The answer says what is missing, where it was looked for, and one way to mend it.
    ``folders`` are those of ``sys.path`` that the answer names, the first one being
    where the module belongs. Nothing is imported and no code of the application runs;
    where a package's code could make up for what is missing, the module counts as there.
    """
    if sys.modules.get(module) is not None:
        return None
    importlib.invalidate_caches()
    package: Package | None = None
    parts = module.split(".")
    for number, part in enumerate(parts, 1):
        is_last = number == len(parts)
        name = ".".join(parts[:number])
        loaded = sys.modules.get(name)
        if loaded is not None:
            places: Iterable[str] | None = getattr(loaded, "__path__", None)
            file = getattr(loaded, "__file__", None)
        else:
            found = find_module(name, package.folders if package else None)
            if found is None:
                if package is None:
                    return missing_at_top(module, folders)
                if searches_itself(package):
                    return None
                return missing_in_package(module, package, part, is_last)
            places = found.submodule_search_locations
            file = found.origin if found.has_location else None
            if is_unreadable(file):
                return unreadable(str(file))
            if is_last and places is not None and file is None:
                folder = next(iter(places), part)
                return (
                    f"there is no module {module}: {folder} is a folder without modules "
                    f"of its own: add {part}.py beside it"
                )
        if is_last:
            return None
        if places is None:
            return (
                f"there is no module {module}: {name} is a module ({file}), no package: "
                f"name it without .{'.'.join(parts[number:])}"
            )
        package = Package(name, list(places), file)
    return None


def why_no_application(module: str, folders: Sequence[str]) -> str | None:
    """Return what ``why_missing`` does, and ``None`` also where a finder fails.

    Whatever is wrong then, the import itself will tell better.
    """
    try:
        return why_missing(module, folders)
    except Exception:
        return None
