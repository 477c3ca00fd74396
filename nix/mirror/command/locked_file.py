"""A file that a lock pins by SHA-256, as the mirror set's derivations describe it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional


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
        """
        environment = derivation.get("env", {})
        if "mirrorFile" not in environment:
            return None
        described = json.loads(environment["mirrorFile"])
        return cls(
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
