"""What Nix cannot see of a project's folder."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from errors import one_line

# How many files a note names.
NAMED = 3


def untracked(folder: Path, environment: Mapping[str, str]) -> Optional[list[str]]:
    """The files below a folder that Nix leaves out of a flake in a git work tree.

    These are those that git neither tracks nor ignores (Nix manual, "nix flake", "Flake
    references"); None without git, and outside a work tree. Links into the store, such
    as `result`, are results of Nix itself and not told.
    """
    if shutil.which("git", path=environment.get("PATH")) is None:
        return None
    words = ["ls-files", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(
        ["git", "-C", str(folder), *words],
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        return None
    names = (os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
    return [name for name in names if not is_result(folder / name)]


def is_result(path: Path) -> bool:
    """Whether a path is a link into the Nix store."""
    return path.is_symlink() and os.readlink(path).startswith("/nix/store/")


def notes(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """A line for each thing that may surprise in a flake's folder."""
    told = []
    names = untracked(folder, environment)
    if names is not None and " " in str(folder):
        told.append(
            "older Nix cannot take a git work tree whose path has a space, such as"
            f" {quoted(str(folder))}: move it if Nix calls it no valid URL"
        )
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        named = " ".join(quoted(name) for name in names[:NAMED])
        told.append(
            f"Nix does not see files that git does not track: git add {named}{more}"
        )
    return told


def quoted(name: str) -> str:
    """A file's name as a shell takes it, on one line.

    >>> quoted("app/a b.py")
    "'app/a b.py'"
    """
    return shlex.quote(one_line(name))
