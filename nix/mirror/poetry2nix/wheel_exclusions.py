"""What of an installed wheel is left out, by the table nix/mirror/exclusions/wheels.nix."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unread_suites import matches, unread_suites
from windows_programs import is_windows_program


@dataclass(frozen=True)
class WheelExclusions:
    """The table's members.

    windows_programs: shell patterns of names; suites: names of folders; judged_suites:
    paths below `site-packages`, see unread_suites.
    """

    windows_programs: Sequence[str] = ()
    suites: Sequence[str] = ()
    judged_suites: Sequence[str] = ()

    @classmethod
    def from_json(cls, text: str) -> WheelExclusions:
        """The table as Nix passes it. ValueError or TypeError where it is none."""
        return cls(**json.loads(text))

    def remove(self, prefix: Path, site_packages: Path) -> list[Path]:
        """Remove what is left out of the wheel that is installed, alone, below `prefix`.

        site_packages: the folder of that name, below prefix. Returns the files that are
        gone.
        """
        folders = unread_suites(prefix, site_packages, self.suites, self.judged_suites)
        files = [
            file
            for file in sorted(prefix.rglob("*"))
            if file.is_file()
            and (
                not set(file.parents).isdisjoint(folders)
                or matches(file.name.lower(), self.windows_programs)
                and is_windows_program(file.read_bytes())
            )
        ]
        for file in files:
            file.unlink()
        for folder in folders:
            shutil.rmtree(folder)
        return files
