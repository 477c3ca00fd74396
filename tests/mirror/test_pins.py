"""Pins: how they are made, and how lock files are read and written."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from pathlib import Path
from typing import Any

import pins
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import LOCK, MIRROR_SET, SETS, SUITES
from suite_index import StandInIndex, pin, stanza

INDEX: Any = StandInIndex(
    [
        *(stanza("libc6", "2"), stanza("libc6", "1"), stanza("dpkg", "1")),
        stanza("python3", "1", "libc6 (>= 1) | libc, dpkg", source="python"),
        stanza("linux-image", "3", "linux-image-3 (= 3)"),
        stanza("linux-image-3", "3"),
    ],
    closures={"python3": ["libc6", "dpkg"]},
)


def names(found: list[pins.Pin]) -> list[str]:
    """Packages and versions."""
    return [f"{one.package}={one.version}" for one in found]


def test_a_pin() -> None:
    (found,) = pins.lock_set(INDEX, {"packages": ["python3"], "closure": False})
    assert dataclasses.replace(found, sha256="00", snapshot="") == pins.Pin(
        package="python3",
        version="1",
        source="python",
        location="pool/python3_1.deb",
        sha256="00",
        size=7,
        depends=("dpkg", "libc", "libc6"),
    )


def test_a_set_with_what_it_depends_on() -> None:
    wanted = {"packages": ["python3"], "without": {"dpkg": "package manager"}}
    assert names(pins.lock_set(INDEX, wanted)) == ["libc6=2", "python3=1"]


def test_a_meta_package_stands_for_what_it_depends_on() -> None:
    wanted = {"meta": "linux-image", "closure": False}
    assert names(pins.lock_set(INDEX, wanted)) == ["linux-image-3=3"]


def test_what_did_not_change_keeps_its_entry() -> None:
    wanted = {"packages": ["libc6", "dpkg"], "closure": False}
    before = [pin("libc6", "1"), pin("dpkg", "1")]
    dpkg, libc6 = pins.lock_set(INDEX, wanted, before)
    assert dpkg == before[1]
    assert libc6.version == "2" and libc6.snapshot > before[0].snapshot


def test_what_lower_sets_hold_is_left_out() -> None:
    lock = {"low": [pin("a", "1")], "high": [pin("a", "1"), pin("b", "1")], "odd": []}
    sets: dict[str, Any] = {"low": {}, "high": {"above": ["low"]}, "unlocked": {}}
    assert {
        name: names(each) for name, each in pins.without_lower(lock, sets).items()
    } == {
        "low": ["a=1"],
        "high": ["b=1"],
    }


TEXT = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5)


@given(st.dictionaries(TEXT, st.lists(st.tuples(TEXT, st.lists(TEXT)))))
def test_any_lock_is_read_as_it_was_written(
    content: dict[str, list[tuple[str, list[str]]]]
) -> None:
    lock = {
        name: [
            dataclasses.replace(pin(package, "1"), depends=tuple(depends))
            for package, depends in each
        ]
        for name, each in content.items()
    }
    assert pins.parse_lock(json.loads(json.dumps(pins.lock_json(lock)))) == lock


def test_the_lock_of_this_checkout() -> None:
    sets = pins.read_toml(MIRROR_SET / SETS)
    suites = pins.read_toml(MIRROR_SET / SUITES)
    lock = pins.read_lock(MIRROR_SET / LOCK)
    assert set(lock) == set(sets)
    assert {wanted["suite"] for wanted in sets.values()} == set(suites)
    assert all(one.snapshot for each in lock.values() for one in each)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    pins.write_json(path, {"b": 1, "a": "ä"})
    before = path.read_bytes()
    assert pins.read_json(path) == {"a": "ä", "b": 1}
    with pytest.raises(TypeError):
        pins.write_json(path, {"b": io})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["lock.json"]


def test_releases_end() -> None:
    suites = {"old": {"version": 11, "end": "2026-08-31"}}
    assert pins.has_ended("old", suites, "2026-09-01")
    assert not pins.has_ended("old", suites, "2026-08-31")
    assert not pins.has_ended("unknown", suites)
    assert pins.suite_title("old", suites) == "Debian 11 (old)"
    assert pins.suite_title("unknown", suites) == "Debian's unknown"
