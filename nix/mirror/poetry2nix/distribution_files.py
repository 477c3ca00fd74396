"""Chooses the file of a locked package: the best wheel, else the source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from packaging.tags import Tag, parse_tag
from packaging.version import InvalidVersion, Version
from resolution_error import ResolutionError
from target import Target

# Archives of sources, the best first (PEP 625, and what was usual before it).
SOURCE_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")

# A package of a lock, and a file with the keys `file` and `hash`.
Package = Mapping[str, Any]
File = Mapping[str, str]


def parse_version(text: str) -> Optional[Version]:
    """A version as file names write it; None where it is none (PEP 440, PEP 427).

    In place of "+" and "-" there may be "_".

    >>> parse_version("2022.01") == parse_version("2022.1"), parse_version("1.0_cpu")
    (True, <Version('1.0+cpu')>)
    """
    for separator in ("_", "+", "-"):
        try:
            return Version(text.replace("_", separator))
        except InvalidVersion:
            continue
    return None


class Wheel:
    """The name of a wheel, as strict as it has to be and no stricter (PEP 427).

    Indexes carry names that packaging's parser refuses: of projects with two
    underscores, of versions that are none.
    """

    def __init__(self, name: str) -> None:
        """Raises ValueError where it is no wheel's name."""
        parts = name[: -len(".whl")].split("-")
        if not name.endswith(".whl") or len(parts) not in (5, 6):
            raise ValueError(f"{name} is no wheel's name")
        self.version = parse_version(parts[1])
        self.tags = parse_tag("-".join(parts[-3:]))
        found = re.match(r"(\d+)(.*)", parts[2]) if len(parts) == 6 else None
        if len(parts) == 6 and found is None:
            raise ValueError(f"{name}: {parts[2]} is no build tag")
        self.build = (int(found[1]), found[2]) if found else (-1, "")


def source_version(name: str) -> Optional[Version]:
    """The version in the name of a source archive, None where it cannot be told."""
    for suffix in SOURCE_SUFFIXES:
        if name.endswith(suffix):
            return parse_version(name[: -len(suffix)].rpartition("-")[2])
    return None


def best_wheel(
    version: Optional[Version], files: Iterable[File], ranks: Mapping[Tag, int]
) -> Optional[File]:
    """The wheel of a version whose tag the target likes most; None where none fits.

    ranks: see Target.ranks. Of wheels with the same tag the highest build tag wins
    (PEP 427), then the first name; the order of the files does not matter. A name whose
    version cannot be told is taken for one of this version.
    """
    best: Optional[tuple[int, tuple[int, str], str, File]] = None
    for file in files:
        try:
            wheel = Wheel(file["file"])
        except ValueError:
            continue
        if version and wheel.version and wheel.version != version:
            continue
        places = [ranks[tag] for tag in wheel.tags if tag in ranks]
        if not places:
            continue
        candidate = (min(places), wheel.build, file["file"], file)
        if best is None or comes_before(candidate, best):
            best = candidate
    return best[3] if best else None


def comes_before(one: Any, other: Any) -> bool:
    """Whether the first of two candidates is the better wheel."""
    if one[0] != other[0]:
        return bool(one[0] < other[0])
    if one[1] != other[1]:
        return bool(one[1] > other[1])
    return bool(one[2] < other[2])


def best_source(version: Optional[Version], files: Iterable[File]) -> Optional[File]:
    """The source archive of a version; None where there is none."""
    found = []
    for file in files:
        name = file["file"]
        told = source_version(name)
        for place, suffix in enumerate(SOURCE_SUFFIXES):
            if name.endswith(suffix) and not (version and told and told != version):
                found.append((place, name, file))
    return min(found, key=lambda each: each[:2])[2] if found else None


def choose_file(package: Package, files: Iterable[File], target: Target) -> File:
    """The file of a package: the best wheel, or the source where no wheel fits.

    files: of the package, or before format 2.0 of all its locked versions.
    Raises ResolutionError where neither is locked.
    """
    files = list(files)
    version = parse_version(package["version"])
    chosen = best_wheel(version, files, target.ranks) or best_source(version, files)
    if chosen is None:
        kind = "the lock lists no files"
        if files:
            kind = f"none of its {len(files)} files is for it"
        raise ResolutionError(
            f"{package['name']} {package['version']} has no wheel for Python"
            f" {target.feature_version} on this platform ({kind}): lock a version that"
            " has one"
        )
    return chosen


def sha256_of(file: File) -> str:
    """The hexadecimal SHA-256 that locks a file. Raises ResolutionError without one."""
    algorithm, _, digest = file.get("hash", "").partition(":")
    if algorithm != "sha256" or not re.fullmatch("[0-9a-f]{64}", digest):
        told = algorithm if digest and algorithm != "sha256" else "no hash"
        raise ResolutionError(
            f"{file['file']} is locked by {told}, not by sha256: poetry lock"
        )
    return digest
