"""Writes the lock files of the mirror set; for its maintainers."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import busybox
import pins
from address import shown
from debian_index import NoSuite, SuiteIndex
from debian_roots import debian_roots
from errors import MirrorError
from package_index import Index, canonical, reason
from places import (
    BUSYBOX_LOCK,
    LOCK,
    MIRROR_SET,
    REQUIREMENTS,
    SETS,
    SUITES,
    WHEELS_LOCK,
)
from transport import Fault, Transport

# The name of the set of wheels, beside those of sets.toml.
WHEELS = "wheels"


def lock_debian(
    names: Sequence[str], sets: Mapping[str, Any], base: Mapping[str, str]
) -> list[tuple[list[str], NoSuite]]:
    """Resolve the named sets and write debian/lock.json; the others stay as locked.

    base: the environment. Returns the names of the sets of each release that no mirror
    carries, and why; these sets stay, too.
    """
    path = MIRROR_SET / LOCK
    suites = pins.read_toml(MIRROR_SET / SUITES)
    locked = pins.read_lock(path)
    roots = debian_roots(base)
    left: list[tuple[list[str], NoSuite]] = []
    done: list[str] = []
    for suite in dict.fromkeys(sets[name]["suite"] for name in names):
        chosen = [name for name in names if sets[name]["suite"] == suite]
        with tempfile.TemporaryDirectory() as temporary:
            try:
                ended = pins.has_ended(suite, suites)
                index = SuiteIndex(Path(temporary), suite, roots, ended)
            except NoSuite as error:
                left.append((chosen, error))
                continue
            for name in chosen:
                before = locked.get(name, [])
                locked[name] = pins.lock_set(index, sets[name], before)
            done += chosen
    locked = pins.without_lower(locked, sets)
    for name in done:
        print(f"mirror: {name}: {len(locked[name])} packages", file=sys.stderr)
    if "busybox" in done:
        (package,) = locked["busybox"]
        pins.write_json(MIRROR_SET / BUSYBOX_LOCK, busybox.pin(package, base))
    pins.write_json(path, pins.lock_json(locked))
    return left


def runs_here(wheel: str) -> bool:
    """Whether a wheel of this name runs on any Linux on x86_64 (PEP 425, PEP 600)."""
    from pip._vendor.packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        tags = parse_wheel_filename(wheel)[3]
    except InvalidWheelFilename:
        return False
    return any(
        tag.platform == "any"
        or (tag.platform.startswith("manylinux") and tag.platform.endswith("_x86_64"))
        for tag in tags
    )


def wheels_of(names: Sequence[str], project: str, version: str) -> list[str]:
    """Those of the file names that are wheels of this version and run here, sorted."""
    found = []
    for name in names:
        stem, _, rest = name.partition("-")
        if canonical(stem) == canonical(project) and rest.startswith(f"{version}-"):
            if name.endswith(".whl") and runs_here(name):
                found.append(name)
    return sorted(found)


def lock_wheel(
    index: Index, transport: Transport, project: str, version: str
) -> dict[str, Any]:
    """What pins the wheel of one version; it is fetched, for its SHA-256."""
    links, problems = index.links(project, transport)
    wheels = wheels_of(list(links), project, version)
    if not wheels:
        told = "; ".join(["no index lists a wheel for x86_64", *problems])
        raise MirrorError(f"{project}=={version}: {told}")
    name = wheels[-1]
    try:
        content = index.content(links[name][0], transport)
    except (Fault, OSError) as error:
        raise MirrorError(
            f"{name}: {shown(links[name][0])}: {reason(error)}: name an index that has it"
            " in MIRROR_PYPI"
        ) from None
    return {
        "project": project,
        "version": version,
        "location": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


def lock_wheels(base: Mapping[str, str]) -> None:
    """Pin the wheels of wheels/requirements.txt, and write wheels/lock.json.

    base: the environment. Each line there is a comment or PROJECT==VERSION.
    """
    lines = (MIRROR_SET / REQUIREMENTS).read_text().splitlines()
    index = Index(base)
    locked = {}
    with contextlib.closing(Transport(index.session)) as transport:
        for line in lines:
            project, _, version = line.partition("#")[0].strip().partition("==")
            if project:
                locked[project] = lock_wheel(index, transport, project, version)
    print(f"mirror: {WHEELS}: {len(locked)} wheels", file=sys.stderr)
    pins.write_json(MIRROR_SET / WHEELS_LOCK, locked)


def lock(names: Sequence[str], base: Mapping[str, str]) -> None:
    """Pin the named sets anew, or all; base: the environment.

    Raises MirrorError where there is no such set, or a source lacks something; after
    all else is pinned, where no mirror carries a release.
    """
    sets = pins.read_toml(MIRROR_SET / SETS)
    known = [*sets, WHEELS]
    for name in names:
        if name not in known:
            raise MirrorError(
                f"there is no set {name!r}: ./mirror lock takes {', '.join(known)}"
            )
    chosen = [name for name in known if name in names or not names]
    debian = [name for name in chosen if name != WHEELS]
    left = lock_debian(debian, sets, base) if debian else []
    if WHEELS in chosen:
        lock_wheels(base)
    if left:
        lines = [f"{', '.join(names)} stay as locked: {why}" for names, why in left]
        raise MirrorError("; ".join(lines))
