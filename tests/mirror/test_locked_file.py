"""Locked files, as derivations describe them."""

from __future__ import annotations

import json
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from errors import MirrorError
from locked_file import LockedFile, is_below

PATHS = st.text(min_size=1).filter(is_below)
NAMES = PATHS.filter(lambda name: "/" not in name)


def derivation(file: LockedFile) -> dict[str, Any]:
    """What Nix shows of the derivation that files.nix makes of a file."""
    described = {
        "kind": file.kind,
        "sha256": file.sha256,
        "location": file.location,
        "project": file.project,
        "member": file.member,
        "size": file.size,
        "snapshot": file.snapshot,
    }
    told = {name: value for name, value in described.items() if value not in ("", None)}
    environment = {
        "mirrorFile": json.dumps(told),
        "name": file.name,
        "out": file.store_path,
    }
    return {"env": environment, "outputs": {"out": {"path": file.store_path}}}


@given(
    kind=st.sampled_from(["debian", "pypi", "member"]),
    name=NAMES,
    location=PATHS,
    project=st.text(),
    member=st.just("") | PATHS,
    size=st.none() | st.integers(min_value=0),
    snapshot=st.sampled_from(["", "20261128T071500Z"]),
)
def test_reads_what_a_derivation_tells(
    kind: str,
    name: str,
    location: str,
    project: str,
    member: str,
    size: Optional[int],
    snapshot: str,
) -> None:
    file = LockedFile(
        *(kind, name, "00" * 32, location, project, member, size, snapshot),
        store_path=f"/nix/store/x-{name}",
    )
    assert LockedFile.from_derivation(derivation(file)) == file


def test_another_derivation_is_no_locked_file() -> None:
    assert LockedFile.from_derivation({"env": {"out": "/nix/store/x"}}) is None
    assert LockedFile.from_derivation({}) is None


FILE = LockedFile("pypi", "a.whl", "00" * 32, "a.whl", store_path="/s/a")


@pytest.mark.parametrize(
    "changed",
    [
        {"kind": "other"},
        {"sha256": "../../x"},
        {"sha256": 5},
        {"location": "../a.whl"},
        {"location": "/etc/shadow"},
        {"location": ["a"]},
        {"member": "bin/../../a"},
        {"project": 5},
        {"size": -1},
        {"size": "1"},
    ],
)
def test_words_that_would_lead_elsewhere(changed: dict[str, Any]) -> None:
    shown = derivation(FILE)
    described = {**json.loads(shown["env"]["mirrorFile"]), **changed}
    shown["env"]["mirrorFile"] = json.dumps(described)
    with pytest.raises(MirrorError, match="^/s/a: its derivation describes"):
        LockedFile.from_derivation(shown)


@pytest.mark.parametrize("name", ["..", "a/b", "", "a\0"])
def test_names_that_would_lead_elsewhere(name: str) -> None:
    shown = derivation(FILE)
    shown["env"]["name"] = name
    with pytest.raises(MirrorError):
        LockedFile.from_derivation(shown)


@pytest.mark.parametrize("described", ["", "{", "[]", "5", "{}", "[" * 100_000])
def test_what_describes_nothing(described: str) -> None:
    with pytest.raises(MirrorError):
        LockedFile.from_derivation({"env": {"mirrorFile": described, "out": "/s/a"}})


def test_the_name_may_stand_beside_the_environment() -> None:
    shown = derivation(FILE)
    del shown["env"]["name"]
    shown["name"] = "a.whl"
    file = LockedFile.from_derivation(shown)
    assert file is not None and file.name == "a.whl"
