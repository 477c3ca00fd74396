"""A file that a lock pins by SHA-256, as the mirror set's derivations describe it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from errors import MirrorError

KINDS = ("debian", "pypi", "member")
SNAPSHOT = re.compile("([0-9]{8}T[0-9]{6}Z)?")
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class LockedFile:
    """One pinned file.

    kind: "debian" (a .deb), "pypi" (a wheel or sdist) or "member" (one executable out
        of a .deb).
    name: the file's name in the Nix store.
    sha256: of the file that a mirror serves, hexadecimal.
    location: for Debian the path below a mirror's root, for PyPI the file's name there.
    project: for PyPI the project's name.
    member: for "member" the path inside the .deb.
    size: in bytes, None where the lock does not say it (poetry.lock does not).
    snapshot: for Debian, a time at which its archive had the file; see pins.Pin.
    store_path: where the Nix store will hold it.
    """

    kind: str
    name: str
    sha256: str
    location: str
    project: str = ""
    member: str = ""
    size: Optional[int] = None
    snapshot: str = ""
    store_path: str = ""

    @classmethod
    def from_derivation(cls, derivation: Mapping[str, Any]) -> Optional[LockedFile]:
        """Read a derivation as `nix show-derivation` prints it.

        Returns None for a derivation that describes no locked file.
        Raises MirrorError where it describes one that cannot be: any flake may hold
        such a derivation, and its words become paths.
        """
        environment = derivation.get("env", {})
        if "mirrorFile" not in environment:
            return None
        try:
            described = json.loads(environment["mirrorFile"])
            file = cls(
                kind=described["kind"],
                name=derivation.get("name") or environment["name"],
                sha256=described["sha256"],
                location=described["location"],
                project=described.get("project", ""),
                member=described.get("member", ""),
                size=described.get("size"),
                snapshot=described.get("snapshot", ""),
                store_path=environment["out"],
            )
            file.check()
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
            raise MirrorError(
                f"{environment.get('out')}: its derivation describes a locked file that"
                " cannot be: ask those who wrote the flake, or leave ./mirror out"
            ) from None
        return file

    def check(self) -> None:
        """Raise ValueError or TypeError where a value is not what the class says."""
        if self.kind not in KINDS or not SHA256.fullmatch(self.sha256):
            raise ValueError
        if not (is_below(self.location) and is_below(self.name)) or "/" in self.name:
            raise ValueError
        if not is_below(self.member or "none") or not isinstance(self.project, str):
            raise ValueError
        if not SNAPSHOT.fullmatch(self.snapshot):
            raise ValueError
        if not (self.size is None or (type(self.size) is int and self.size >= 0)):
            raise ValueError


def is_below(path: str) -> bool:
    """Say whether a path, relative to any folder, leads to something below that.

    >>> is_below("pool/a.deb"), is_below("../a"), is_below("/a"), is_below("a/./b")
    (True, False, False, False)
    """
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))
