"""The Debian packages that the mirror set pins: its sets, and their lock."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import machine
from debian_index import Stanza, SuiteIndex, relations
from errors import MirrorError


@dataclass(frozen=True)
class Pin:
    """One pinned package.

    package, version: binary package; source: the name of its source package.
    location: below an archive's root; sha256, size (in bytes): of the file.
    depends: the names of all packages that it mentions as dependencies.
    snapshot: a time at which the file was in the archive, as snapshot services name it.
    """

    package: str
    version: str
    source: str
    location: str
    sha256: str
    size: int
    depends: tuple[str, ...] = ()
    snapshot: str = ""

    @classmethod
    def of(cls, stanza: Stanza, snapshot: str) -> Pin:
        """Pin what an entry of a package index describes."""
        names = {name for each in relations(stanza) for name, _, _ in each}
        return cls(
            package=stanza["Package"],
            version=stanza["Version"],
            source=(stanza["Source"] or stanza["Package"]).split()[0],
            location=stanza["Filename"],
            sha256=stanza["SHA256"],
            size=int(stanza["Size"]),
            depends=tuple(sorted(names)),
            snapshot=snapshot,
        )

    def stanza(self) -> Stanza:
        """Return what is known of the entry that it was made of."""
        stanza = Stanza()
        stanza["Package"] = self.package
        stanza["Version"] = self.version
        stanza["Source"] = self.source
        stanza["Filename"] = self.location
        stanza["SHA256"] = self.sha256
        stanza["Size"] = str(self.size)
        return stanza

    def json(self) -> dict[str, Any]:
        """Return it as the lock file has it."""
        return {**dataclasses.asdict(self), "depends": " ".join(self.depends)}


# The pins of each set.
Lock = dict[str, list[Pin]]


def now() -> str:
    """Return this time as snapshot services name it, such as "20261128T071500Z"."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def read_toml(path: Path) -> Any:
    """Read a TOML file, with this Python's library or with pip's copy of tomli.

    Raises MirrorError where there is neither.
    """
    machine.import_pip()
    for library in ("tomllib", "pip._vendor.tomli"):
        try:
            toml: Any = importlib.import_module(library)
        except ImportError:
            continue
        return toml.loads(path.read_text(encoding="utf-8"))
    raise MirrorError("no library reads TOML: run this with Python 3.11 or newer")


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds one JSON object."""
    return dict(json.loads(path.read_text(encoding="utf-8")))


def read_lock(path: Path) -> Lock:
    """Read a lock file; an empty lock where there is none."""
    return parse_lock(read_json(path)) if path.exists() else {}


def parse_lock(content: Mapping[str, Any]) -> Lock:
    """Return the pins of a lock file's content."""
    return {
        name: [
            Pin(**{**entry, "depends": tuple(entry.get("depends", "").split())})
            for entry in entries
        ]
        for name, entries in content.items()
    }


def lock_json(lock: Lock) -> dict[str, Any]:
    """Return a lock as its file has it."""
    return {name: [pin.json() for pin in pins] for name, pins in lock.items()}


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all."""
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def requested(index: SuiteIndex, wanted: Mapping[str, Any]) -> list[str]:
    """Return the packages that a set asks for.

    A meta package, such as that of the kernel, stands for what it depends on.
    """
    packages = list(wanted.get("packages", []))
    if "meta" in wanted:
        (stanza,) = index.stanzas([wanted["meta"]])
        packages += [alternatives[0][0] for alternatives in relations(stanza)]
    return packages


def lock_set(
    index: SuiteIndex, wanted: Mapping[str, Any], before: Sequence[Pin] = ()
) -> list[Pin]:
    """Pin the newest versions of one set's packages, sorted by name.

    wanted: the set, as sets.toml has it; before: how it was pinned. What did not change
    keeps its entry, so that a lock file shows what did.
    """
    packages = requested(index, wanted)
    if wanted.get("closure", True):
        packages = index.closure(packages)
    known = {pin.sha256: pin for pin in before if pin.snapshot}
    snapshot = now()
    pins = [Pin.of(stanza, snapshot) for stanza in index.stanzas(packages)]
    kept = [pin for pin in pins if pin.package not in wanted.get("without", {})]
    unchanged = [
        (
            known[pin.sha256]
            if pin.sha256 in known
            and dataclasses.replace(known[pin.sha256], snapshot=snapshot) == pin
            else pin
        )
        for pin in kept
    ]
    return sorted(unchanged, key=lambda pin: pin.package)


def without_lower(lock: Lock, sets: Mapping[str, Any]) -> Lock:
    """Return a lock without what sets that a set stands above already hold.

    Sets that are not defined any more are left out.
    """
    kept: Lock = {}
    for name, wanted in sets.items():
        if name in lock:
            below = {pin.package for pin in lower(lock, wanted)}
            kept[name] = [pin for pin in lock[name] if pin.package not in below]
    return kept


def lower(lock: Lock, wanted: Mapping[str, Any]) -> list[Pin]:
    """Return the pins of the sets that a set stands above."""
    return [pin for name in wanted.get("above", []) for pin in lock.get(name, [])]


def suite_title(suite: str, suites: Mapping[str, Any]) -> str:
    """Return what a release is called in messages, such as "Debian 13 (trixie)"."""
    number = suites.get(suite, {}).get("version")
    return f"Debian {number} ({suite})" if number else f"Debian's {suite}"


def has_ended(suite: str, suites: Mapping[str, Any], day: Optional[str] = None) -> bool:
    """Say whether a release is past the end of its support.

    suites: as suites.toml has them; day: instead of today, such as "2026-11-28".
    """
    end = suites.get(suite, {}).get("end")
    return bool(end) and str(end) < (day or datetime.date.today().isoformat())
