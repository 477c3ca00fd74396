"""The folders that ./mirror works with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# The mirror set of this checkout.
MIRROR_SET = Path(__file__).resolve().parent.parent

# Below it: what is pinned, the locks, and facts of Debian's releases.
SETS = "debian/sets.toml"
SUITES = "debian/suites.toml"
LOCK = "debian/lock.json"
BUSYBOX_LOCK = "debian/busybox.lock.json"
REQUIREMENTS = "wheels/requirements.txt"
WHEELS_LOCK = "wheels/lock.json"


def cache_folder(base: Mapping[str, str]) -> Path:
    """Return the folder of all that ./mirror keeps.

    base: the environment; $XDG_CACHE_HOME, if it is absolute (XDG Base Directory
    Specification), or ~/.cache.
    """
    root = base.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(root):
        root = os.path.join(base.get("HOME") or os.path.expanduser("~"), ".cache")
    return Path(root) / "nix-mirror"
