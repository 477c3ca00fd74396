"""Pins busybox, the one executable that starts all builds, by its hash in the store."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import download
from errors import MirrorError
from locked_file import LockedFile
from nix_command import Nix
from pins import Pin

MEMBER = "bin/busybox"


def pin(package: Pin, base: Mapping[str, str]) -> dict[str, Any]:
    """Return what busybox.lock.json is to hold for a package; fetches it.

    package: the one that lock.json pins; base: the environment.
    Raises MirrorError where it cannot be fetched, or Nix takes no hash of it.
    """
    file = LockedFile(
        kind="member",
        name="busybox",
        sha256=package.sha256,
        location=package.location,
        member=MEMBER,
        size=package.size,
        snapshot=package.snapshot,
    )
    with tempfile.TemporaryDirectory() as temporary:
        with contextlib.closing(download.Fetcher(Path(temporary), base)) as fetcher:
            path = fetcher.fetch(file)
        done = Nix(base).run(["hash", "path", str(path)])
    if done.returncode != 0:
        raise MirrorError("Nix says above why it takes no hash of busybox")
    return {**package.json(), "member": MEMBER, "narHash": done.stdout.strip()}
