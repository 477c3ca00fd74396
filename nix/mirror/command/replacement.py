"""What of a Debian release's indexes replaces pins whose files no mirror has any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from debian_index import Stanza, SuiteIndex, is_satisfied, relations
from errors import MirrorError
from pins import Lock, Pin, lower, now, requested


@dataclass(frozen=True)
class Move:
    """One package that changes; a version is "" where it was not there, or is not."""

    package: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"{self.package} {self.after} (new)"
        if not self.after:
            return f"{self.package} {self.before} (not needed any more)"
        return f"{self.package} {self.before} -> {self.after}"


class Replacement:
    """Finds what replaces absent files of one release."""

    def __init__(
        self,
        lock: Lock,
        sets: Mapping[str, Any],
        index: SuiteIndex,
        absent: Iterable[str],
    ) -> None:
        """lock, sets: as they are; absent: the SHA-256 of files that no mirror has."""
        self.sets = {
            name: wanted
            for name, wanted in sets.items()
            if wanted["suite"] == index.suite and name in lock
        }
        self.lock = lock
        self.index = index
        self.absent = set(absent)
        self.snapshot = now()
        pins = [pin for name in self.sets for pin in lock[name]]
        self.from_meta = {
            pin for name in self.sets if "meta" in self.sets[name] for pin in lock[name]
        }
        self.offered = index.offered(pin.package for pin in pins)
        # A pin that is in no index is going to be absent soon, if it is not already.
        self.moving = {pin.source for pin in pins if self.is_leaving(pin)}

    def is_leaving(self, pin: Pin) -> bool:
        """Say whether a pin's file is absent, or only other versions are in the indexes."""
        has_successor = pin.package in self.offered or pin in self.from_meta
        is_superseded = has_successor and self.entry(pin) is None
        return pin.sha256 in self.absent or is_superseded

    def entry(self, pin: Pin) -> Optional[Stanza]:
        """Return a pin's own entry in the indexes, if there is one."""
        stanzas = self.offered.get(pin.package, [])
        return next((one for one in stanzas if one["SHA256"] == pin.sha256), None)

    def newest(self, package: str) -> Stanza:
        """Return a package's newest entry.

        Raises MirrorError where no index has one.
        """
        if package not in self.offered:
            self.offered.update(self.index.offered([package]))
        if package not in self.offered:
            raise MirrorError(
                f"{package} of {self.index.suite} is in no index of the Debian mirrors:"
                " ./mirror lock --check shows what else is not"
            )
        return self.offered[package][0]

    def run(self) -> Lock:
        """Return the lock with replacements.

        Packages of one source move together, as their dependencies on each other often
        name an exact version; so do those that a moved one wants newer, or that want
        the former version of a moved one.
        Raises MirrorError where the indexes have nothing newer, or lack a package: a
        version older than the pinned one would bring back what security updates fixed.
        """
        while True:
            chosen = self.chosen()
            more = self.unsatisfied(chosen)
            if not more:
                break
            self.moving |= more
        result = dict(self.lock)
        for name, stanzas in chosen.items():
            known = {pin.sha256: pin for pin in self.lock[name]}
            pins = [
                known.get(stanza["SHA256"]) or Pin.of(stanza, self.snapshot)
                for stanza in stanzas
            ]
            result[name] = sorted(pins, key=lambda pin: pin.package)
        for name in self.sets:
            self.refuse_older(name, result[name])
            for pin in result[name]:
                if pin.sha256 in self.absent:
                    raise MirrorError(
                        f"the Debian mirrors list {pin.location} of {self.index.suite} and"
                        " do not have it: wait until they are complete, or name another"
                        " one in MIRROR_DEBIAN"
                    )
        return result

    def refuse_older(self, name: str, pins: Sequence[Pin]) -> None:
        """Raise MirrorError where a pin of a set would give way to an older version."""
        former = {pin.package: pin for pin in self.lock[name]}
        sources = {pin.source: pin for pin in self.lock[name]}
        for pin in pins:
            before = former.get(pin.package)
            if before is None and "meta" in self.sets[name]:
                before = sources.get(pin.source)
            if before is None or before.version == pin.version:
                continue
            if not is_satisfied(pin.version, ">=", before.version):
                raise MirrorError(
                    f"the Debian mirrors offer {pin.package} {pin.version} of"
                    f" {self.index.suite}, which is older than the pinned {before.version}:"
                    " name one that has the security updates in MIRROR_DEBIAN, or pin what"
                    " there is: ./mirror lock"
                )

    def chosen(self) -> dict[str, list[Stanza]]:
        """Return the entries that each set is to have: kept, replaced and new ones."""
        chosen: dict[str, list[Stanza]] = {}
        for name, wanted in self.sets.items():
            kept = [pin for pin in self.lock[name] if pin.source not in self.moving]
            left = [pin for pin in self.lock[name] if pin.source in self.moving]
            stanzas = {pin.package: self.kept_entry(pin) for pin in kept}
            if left and "meta" in wanted:
                packages = requested(self.index, wanted)
            else:
                packages = [pin.package for pin in left]
            for package in packages:
                stanzas[package] = self.newest(package)
            for package in self.added(wanted, list(stanzas.values()), left):
                stanzas.setdefault(package, self.newest(package))
            chosen[name] = list(stanzas.values())
        return chosen

    def kept_entry(self, pin: Pin) -> Stanza:
        """Return the entry of a pin that stays, be it in an index or not."""
        return self.entry(pin) or pin.stanza()

    def added(
        self, wanted: Mapping[str, Any], stanzas: Sequence[Stanza], left: Sequence[Pin]
    ) -> list[str]:
        """Return the packages that a set's replacements newly depend on.

        left: the pins that are replaced. What these already mentioned was left out of
        the set on purpose, or is in it.
        """
        if not left:
            return []
        known = {name for pin in left for name in pin.depends}
        known |= {stanza["Package"] for stanza in stanzas}
        known |= {pin.package for pin in lower(self.lock, wanted)}
        known |= set(wanted.get("without", {}))
        replaced = {pin.package for pin in left}
        new: list[str] = []
        for stanza in stanzas:
            if stanza["Package"] not in replaced:
                continue
            for alternatives in relations(stanza):
                if not known & {name for name, _, _ in alternatives}:
                    new.append(alternatives[0][0])
        if not new:
            return []
        names = [package.partition("=")[0] for package in self.index.closure(new)]
        return [name for name in names if name not in known]

    def unsatisfied(self, chosen: Mapping[str, Sequence[Stanza]]) -> set[str]:
        """Return the sources that have to move, too, for the chosen versions to fit."""
        present = {one["Package"]: one for each in chosen.values() for one in each}
        sources = {
            pin.package: pin.source for name in self.sets for pin in self.lock[name]
        }
        more: set[str] = set()
        for package, stanza in present.items():
            for alternatives in relations(stanza):
                there = [one for one in alternatives if one[0] in present]
                if not there or any(
                    is_satisfied(present[name]["Version"], operator, version)
                    for name, operator, version in there
                ):
                    continue
                more |= {sources.get(name, "") for name, _, _ in there}
                more.add(sources.get(package, ""))
        return more - self.moving - {""}


def moves_of(before: Lock, after: Lock) -> list[Move]:
    """Return what differs between two locks, by package, each once."""
    found = []
    for name in after:
        old = {pin.package: pin.version for pin in before.get(name, [])}
        new = {pin.package: pin.version for pin in after[name]}
        for package in sorted({*old, *new}):
            if old.get(package) != new.get(package):
                found.append(Move(package, old.get(package, ""), new.get(package, "")))
    return sorted(dict.fromkeys(found), key=lambda move: move.package)


def summary(found: Sequence[Move], most: int = 12) -> str:
    """Return moves as a part of a line; of many, the first ones.

    >>> summary([Move("a", "1", ""), Move("b", "", "1")])
    'a 1 (not needed any more), b 1 (new)'
    """
    more = f", and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(map(str, found[:most])) + more
