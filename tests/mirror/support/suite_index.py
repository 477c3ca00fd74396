"""A stand-in for the indexes of a Debian release."""

from __future__ import annotations

import email
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from debian_index import Stanza
from debian_roots import Roots
from errors import MirrorError
from pins import Pin


def stanza(package: str, version: str, depends: str = "", source: str = "") -> Stanza:
    """An entry of a package index."""
    digest = hashlib.sha256(f"{package} {version}".encode()).hexdigest()
    text = f"Package: {package}\nVersion: {version}\nDepends: {depends}\n"
    text += f"Source: {source}\n" if source else ""
    text += f"Filename: pool/{package}_{version}.deb\nSHA256: {digest}\nSize: 7\n"
    return email.message_from_string(text)


def pin(package: str, version: str, depends: str = "", source: str = "") -> Pin:
    """What pins that entry."""
    return Pin.of(stanza(package, version, depends, source), "20260101T000000Z")


class StandInIndex:
    """Has the methods of debian_index.SuiteIndex; apt's closure is all that is named."""

    def __init__(
        self,
        stanzas: Iterable[Stanza],
        suite: str = "trixie",
        carried: Sequence[tuple[str, str]] = (("http://a/", "trixie"),),
        closures: Optional[Mapping[str, Sequence[str]]] = None,
    ) -> None:
        """stanzas: newest first; closures: what a package brings beside itself."""
        self.all = list(stanzas)
        self.suite = suite
        self.carried = list(carried)
        self.roots = Roots(("http://a/",))
        self.closures = dict(closures or {})

    def offered(self, names: Iterable[str]) -> dict[str, list[Stanza]]:
        """See SuiteIndex."""
        wanted = set(names)
        found: dict[str, list[Stanza]] = {}
        for one in self.all:
            if one["Package"] in wanted:
                found.setdefault(one["Package"], []).append(one)
        return found

    def stanzas(self, packages: Sequence[str]) -> list[Stanza]:
        """See SuiteIndex."""
        found = []
        for package in packages:
            name, _, version = package.partition("=")
            fitting = [
                one
                for one in self.all
                if one["Package"] == name and version in ("", one["Version"])
            ]
            if not fitting:
                raise MirrorError(f"apt-cache show: no entry of {name}")
            found.append(fitting[0])
        return found

    def closure(self, packages: Sequence[str]) -> list[str]:
        """See SuiteIndex."""
        names: list[Any] = list(packages)
        for name in names:
            names += [one for one in self.closures.get(name, []) if one not in names]
        return [f"{one['Package']}={one['Version']}" for one in self.stanzas(names)]


def is_satisfied(version: str, operator: str, wanted: str) -> bool:
    """As debian_index.is_satisfied, for versions that are whole numbers."""
    if not operator:
        return True
    left, right = int(version), int(wanted)
    answers = {
        "<<": left < right,
        "<=": left <= right,
        "=": left == right,
        ">=": left >= right,
        ">>": left > right,
    }
    return answers[operator]
