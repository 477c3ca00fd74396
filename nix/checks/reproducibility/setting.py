"""What a build of images may not depend on: folders, variables, processors, a store."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional


class NotReproducible(Exception):
    """The images depend on something; the message is one line that says on what."""


def tail(text: str) -> str:
    """The last line of what a program said."""
    return (text.strip().splitlines() or ["no message"])[-1]


@dataclass(frozen=True)
class Setting:
    """How one of the clones is made and built.

    folder: of the clone; build_folder: where builds unpack and compile, unless a daemon
    runs them; umask; processors: how many Nix and its builders may use; variables: of
    the environment; store: the folder of another Nix store than the machine's, whose
    paths are those below it (Nix manual, "Local Store", `root`).
    """

    folder: Path
    build_folder: Path
    umask: int
    processors: int
    variables: Mapping[str, str] = field(default_factory=dict)
    store: Optional[Path] = None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """The environment of its commands; base: of this process."""
        found = {**base, **self.variables}
        cores = f"cores = {self.processors}"
        found["NIX_CONFIG"] = "\n".join([base.get("NIX_CONFIG", ""), cores])
        found["TMPDIR"] = str(self.build_folder)
        if self.store is not None:
            found["NIX_REMOTE"] = str(self.store)
        return found

    def start(
        self, *words: str, cwd: Optional[Path] = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command so, and keep what it says."""

        def restrict() -> None:
            there = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, there[: self.processors])

        return subprocess.run(
            words,
            cwd=cwd,
            env=self.environment(os.environ),
            umask=self.umask,
            preexec_fn=restrict,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )

    def run(self, *words: str, cwd: Optional[Path] = None) -> str:
        """Run a command so; returns its standard output.

        Raises NotReproducible with its last line where it fails.
        """
        done = self.start(*words, cwd=cwd)
        if done.returncode != 0:
            raise NotReproducible(f"{' '.join(words[:4])}: {tail(done.stderr)}")
        return done.stdout


def settings(scratch: Path, other: Path) -> Sequence[Setting]:
    """Three settings that differ in all: two use the machine's store, the third its own.

    scratch: an empty folder for clones; other: one on another file system.
    """
    return (
        Setting(
            scratch / "a",
            scratch / "builds",
            0o077,
            1,
            {"TZ": "Asia/Tokyo", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        ),
        Setting(
            scratch / "another-folder/with/a-longer-name",
            scratch / "builds-elsewhere",
            0o002,
            2,
            {
                "TZ": "America/Lima",
                "LANG": "C.UTF-8",
                "LC_ALL": "",
                "PYTHONHASHSEED": "2",
            },
        ),
        Setting(
            other / "clone",
            other / "builds",
            0o027,
            2,
            {"TZ": "UTC", "LANG": "", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "random"},
            store=other / "store",
        ),
    )
