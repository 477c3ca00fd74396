"""The folders of ./mirror."""

from __future__ import annotations

from pathlib import Path

import places
import pytest


@pytest.mark.parametrize(
    "base, folder",
    [
        ({"XDG_CACHE_HOME": "/x"}, "/x/nix-mirror"),
        ({"HOME": "/h"}, "/h/.cache/nix-mirror"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/nix-mirror"),
    ],
)
def test_the_cache_folder(base: dict[str, str], folder: str) -> None:
    assert places.cache_folder(base) == Path(folder)


@pytest.mark.parametrize(
    "name", [getattr(places, name) for name in dir(places) if "LOCK" in name]
)
def test_the_locks_are_where_they_are_looked_for(name: str) -> None:
    assert (places.MIRROR_SET / name).is_file()
