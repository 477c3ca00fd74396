"""The test suites of an installed wheel that nothing else in it reads.

A suite is a folder `tests`, or another name, inside a package, with test modules in it. It
is unread if no file of the wheel outside of it imports it or holds a string that could be
its name or its path. Where in doubt it counts as read: a file that has the folder's name
in it but is no Python, and a suite with modules that another project's tests could import.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Optional

# What pytest collects (its setting "python_files").
TEST_MODULES = ("test_*.py", "*_test.py")
# Further modules of a suite that are for itself.
OWN_MODULES = (*TEST_MODULES, "conftest.py", "__main__.py", "_[!_]*.py")

SEPARATORS = re.compile(r"[/\\.:]")
# What ends a path in a text.
DELIMITERS = re.compile(r"[\s\"'`,;()=]+")
# In the place of a name: in shell patterns, in what str.format and % fill in.
PLACEHOLDER = re.compile(r"[*?\[\]{}%$<>]")

Parts = tuple[str, ...]


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a file's name is one of the shell patterns."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def components(text: str) -> Parts:
    """The names in a dotted name or a path.

    >>> components("../tests/data.json")
    ('tests', 'data', 'json')
    """
    return tuple(part for part in SEPARATORS.split(text) if part)


def known_parts(path: Parts) -> list[Parts]:
    """What is between the placeholders of a path.

    >>> known_parts(("%s", "tests", "data", "*"))
    [('tests', 'data')]
    """
    found: list[Parts] = [()]
    for part in path:
        if PLACEHOLDER.search(part):
            found.append(())
        else:
            found[-1] += (part,)
    return [parts for parts in found if parts]


def paths_in(text: str) -> list[Parts]:
    """What a string could name: itself, or in prose each path in it.

    >>> paths_in("tests")
    [('tests',)]
    >>> paths_in("Runs the tests, those of a/tests.")
    [('a', 'tests')]
    """
    words = DELIMITERS.split(text)
    return [
        path
        for word in words
        if len(words) == 1 or SEPARATORS.search(word.rstrip(".:"))
        for path in known_parts(components(word))
    ]


@dataclass
class Mentions:
    """What a module says that could lead to a folder.

    relative: what relative imports name, resolved; absolute: what other imports name;
    paths: what strings could name; words: all names in the module and in its strings.
    """

    relative: set[Parts] = field(default_factory=set)
    absolute: set[Parts] = field(default_factory=set)
    paths: set[Parts] = field(default_factory=set)
    words: set[str] = field(default_factory=set)

    def lead_to(self, suite: Parts, package: Parts, imports_alone: bool) -> bool:
        """Whether a module of `package` could read `suite`.

        Of the folders above the suite, each has to be named with it, or to be one above
        the module as well, or one of the module's words.
        """
        if any(name[: len(suite)] == suite for name in self.relative):
            return True
        above = suite[:-1]
        shared = 0
        while above[: shared + 1] == package[: shared + 1] and shared < len(above):
            shared += 1
        for path in self.absolute if imports_alone else self.absolute | self.paths:
            for at, part in enumerate(path):
                named = min(at, len(above))
                unnamed = len(above) - named
                if (
                    part == suite[-1]
                    and path[at - named : at] == above[unnamed:]
                    and self.words.issuperset(above[shared:unnamed])
                ):
                    return True
        return False


def mentions_of(tree: ast.Module, package: Parts) -> Mentions:
    """What a module of `package` says; docstrings, which nothing reads, aside."""
    found = Mentions()
    unread = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.absolute.update(components(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            named = components(node.module or "")
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = {(*base, *named, alias.name) for alias in node.names}
            (found.relative if node.level else found.absolute).update(names)
            found.words.update(*names)
        elif isinstance(node, ast.Constant) and node not in unread:
            if isinstance(node.value, bytes):
                found.paths.update(paths_in(node.value.decode("latin-1")))
            elif isinstance(node.value, str):
                found.paths.update(paths_in(node.value))
        elif isinstance(node, ast.Name):
            found.words.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.words.add(node.attr)
    found.words.update(*found.absolute, *found.paths)
    return found


class Reader:
    """A file of a wheel that may read suites.

    file: where it lies; package: the folders that it lies in below `site-packages`.
    """

    def __init__(self, file: Path, package: Parts) -> None:
        self.file = file
        self.package = package

    @property
    def content(self) -> bytes:
        """The file's bytes, read each time: all of a wheel would be too much to keep."""
        return self.file.read_bytes()

    @property
    def is_python(self) -> bool:
        """Whether it is a module, a stub or a script."""
        with open(self.file, "rb") as file:
            first = file.read(200).partition(b"\n")[0]
        script = first.startswith(b"#!") and b"python" in first
        return self.file.suffix in (".py", ".pyi") or script

    @cached_property
    def mentions(self) -> Optional[Mentions]:
        """What it says, if it is Python; None where it cannot be parsed."""
        try:
            return mentions_of(ast.parse(self.content), self.package)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def reads(self, suite: Parts, imports_alone: bool = False) -> bool:
        """Whether it could read a suite; imports_alone: whatever its strings say."""
        if suite[-1].encode() not in self.content:
            return False
        if self.is_python:
            if self.mentions is None:
                return True
            return self.mentions.lead_to(suite, self.package, imports_alone)
        return any(mark.join(suite).encode() in self.content for mark in "./")


def offers_modules(suite: Path, site_packages: Path) -> bool:
    """Whether a suite has modules that another project's tests could import.

    Not those that are themselves tests or private (PEP 8), nor an `__init__.py` that
    defines nothing.
    """
    for module in suite.rglob("*.py"):
        names = module.relative_to(site_packages).with_suffix("").parts
        public = all(
            name.isidentifier() and (name[0] != "_" or name == "__init__")
            for name in names
        )
        if not public or matches(module.name, OWN_MODULES):
            continue
        if module.name != "__init__.py" or re.search(
            rb"^(async def|def|class)\s", module.read_bytes(), re.MULTILINE
        ):
            return True
    return False


def suites(site_packages: Path, names: Sequence[str]) -> list[Path]:
    """The folders of these names that lie in a package and hold test modules."""
    return [
        folder
        for name in names
        for folder in sorted(site_packages.rglob(name))
        if folder.is_dir()
        and (folder.parent / "__init__.py").is_file()
        and folder.parent != site_packages
        and any(matches(module.name, TEST_MODULES) for module in folder.rglob("*.py"))
    ]


def readers(prefix: Path, site_packages: Path) -> list[Reader]:
    """The files below `prefix`, of a distribution's metadata its entry points alone."""
    found = []
    for file in sorted(prefix.rglob("*")):
        metadata = (
            file.parent.suffix == ".dist-info" and file.name != "entry_points.txt"
        )
        if metadata or not file.is_file():
            continue
        inside = site_packages in file.parents
        package = file.parent.relative_to(site_packages).parts if inside else ()
        found.append(Reader(file, package))
    return found


def unread_suites(
    prefix: Path, site_packages: Path, names: Sequence[str], judged: Sequence[str] = ()
) -> list[Path]:
    """The folders of test suites that can be left out of an installed wheel.

    prefix: where it is installed, alone; site_packages: the folder of that name below
    it; names: those of suites' folders; judged: paths of suites below `site_packages`
    of which somebody found that strings and tests alone name them: these are read only
    if a module that is no test imports them.
    """
    out = {
        suite: str(suite.relative_to(site_packages)) in judged
        for suite in suites(site_packages, names)
    }
    for suite, is_judged in list(out.items()):
        if not is_judged and offers_modules(suite, site_packages):
            del out[suite]
    remaining = readers(prefix, site_packages) if out else []
    while True:
        outside = [
            reader for reader in remaining if out.keys().isdisjoint(reader.file.parents)
        ]
        read = [
            suite
            for suite, is_judged in out.items()
            if any(
                reader.reads(suite.relative_to(site_packages).parts, is_judged)
                for reader in outside
                if not (is_judged and matches(reader.file.name, TEST_MODULES))
            )
        ]
        if not read:
            return sorted(
                suite for suite in out if out.keys().isdisjoint(suite.parents)
            )
        for suite in read:
            del out[suite]
