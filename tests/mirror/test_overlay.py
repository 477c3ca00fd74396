"""The lock overlay, and the mirror set that Nix then uses."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import overlay
import pytest
from errors import MirrorError
from places import BUSYBOX_LOCK, LOCK


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small mirror set."""
    folder = tmp_path / "checkout"
    for name in (*overlay.LOCKS, "default.nix", "digests.json", "command/a.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    monkeypatch.setattr(overlay, "MIRROR_SET", folder)
    return folder


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    """An environment with a cache of its own."""
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


CONTENT: dict[str, Any] = {
    "locks": {LOCK: {"a": []}, BUSYBOX_LOCK: {}},
    "moved": "a 1 -> 2",
}


def files(folder: Path) -> list[str]:
    """The files below a folder."""
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return sorted(map(str, found))


def test_without_an_overlay_the_checkout_counts(
    checkout: Path, base: dict[str, str], tmp_path: Path
) -> None:
    assert overlay.read(base) is None
    assert overlay.mirror_set(base, None) == checkout
    assert not (tmp_path / "cache").exists()


def test_an_overlay_is_read_as_it_was_written(
    checkout: Path, base: dict[str, str], tmp_path: Path
) -> None:
    overlay.write(base, CONTENT)
    assert overlay.read(base) == CONTENT
    assert overlay.reminder(CONTENT).endswith("replaced: a 1 -> 2")
    assert files(checkout / "debian") == ["busybox.lock.json", "lock.json"]


def test_another_lock_makes_it_void(checkout: Path, base: dict[str, str]) -> None:
    overlay.write(base, CONTENT)
    (checkout / LOCK).write_text('{"newer": []}')
    assert overlay.read(base) is None


@pytest.mark.parametrize("value", ["1", "yes", "TRUE"])
def test_a_locked_run_does_not_see_it(
    value: str, checkout: Path, base: dict[str, str]
) -> None:
    overlay.write(base, CONTENT)
    assert overlay.read({**base, overlay.VARIABLE: value}) is None
    assert overlay.read({**base, overlay.VARIABLE: "0"}) == CONTENT


def test_the_copy_has_the_overlays_locks(checkout: Path, base: dict[str, str]) -> None:
    copy = overlay.mirror_set(base, CONTENT)
    assert json.loads((copy / LOCK).read_text()) == {"a": []}
    assert files(copy) == [
        "debian/busybox.lock.json",
        "debian/lock.json",
        "default.nix",
    ]
    assert json.loads((checkout / LOCK).read_text()) == {}
    assert overlay.mirror_set(base, CONTENT) == copy
    assert os.listdir(copy.parent) == [copy.name]


def test_an_edited_mirror_set_is_copied_again(
    checkout: Path, base: dict[str, str]
) -> None:
    first = overlay.mirror_set(base, CONTENT)
    (checkout / "command/a.py").write_text("other")
    assert overlay.mirror_set(base, CONTENT) == first
    (checkout / "default.nix").write_text("other")
    second = overlay.mirror_set(base, CONTENT)
    assert second != first and (second / "default.nix").read_text() == "other"


def test_what_is_used_is_young(checkout: Path, base: dict[str, str]) -> None:
    overlay.write(base, CONTENT)
    copy = overlay.mirror_set(base, CONTENT)
    for path in (copy, overlay.path(base)):
        os.utime(path, (0, 0))
    overlay.mirror_set(base, overlay.read(base))
    for path in (copy, overlay.path(base)):
        assert time.time() - path.stat().st_mtime < 3600


def test_a_broken_overlay_is_a_line(checkout: Path, base: dict[str, str]) -> None:
    overlay.write(base, CONTENT)
    overlay.path(base).write_text("{")
    with pytest.raises(MirrorError, match="overlays/.*[.]json cannot be read .*: rm "):
        overlay.read(base)


@pytest.mark.parametrize("text", ["[]", "{}", '{"locks": {}, "moved": ""}', "7"])
def test_an_overlay_of_another_shape_is_a_line(
    text: str, checkout: Path, base: dict[str, str]
) -> None:
    overlay.write(base, CONTENT)
    overlay.path(base).write_text(text)
    with pytest.raises(MirrorError, match="cannot be read .*: rm "):
        overlay.read(base)


def test_two_runs_copy_at_once(checkout: Path, base: dict[str, str]) -> None:
    copy = overlay.mirror_set(base, CONTENT)
    overlay.make_copy(copy, CONTENT["locks"])
    assert os.listdir(copy.parent) == [copy.name]


def test_a_cache_that_cannot_be_written(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    base = {"XDG_CACHE_HOME": str(tmp_path / "file")}
    for function in (overlay.write, overlay.mirror_set):
        with pytest.raises(MirrorError, match="cannot be written .*set XDG_CACHE_HOME"):
            function(base, CONTENT)


def test_what_is_copied_in_vain_does_not_stay(
    checkout: Path, base: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(TypeError):
        overlay.make_copy(tmp_path / "cache/sets/0", {LOCK: {"a": overlay}})
    assert os.listdir(tmp_path / "cache/sets") == []
