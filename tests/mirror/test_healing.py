"""Pins that are replaced, and those that never are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import busybox
import healing
import overlay
import pytest
import replacement
from debian_index import NoSuite
from debian_roots import Roots
from errors import AbsentFile, AbsentFiles, MirrorError
from locked_file import LockedFile
from pins import Pin, lock_json
from suite_index import StandInIndex, is_satisfied, pin, stanza
from transport import Fault

SETS = """
[busybox]
suite = "trixie"
packages = ["busybox-static"]

[a]
suite = "trixie"
packages = ["a"]

[old]
suite = "bullseye"
packages = ["old"]
"""
SUITES = """
[trixie]
version = 13
[bullseye]
version = 11
end = 2020-01-01
"""

LOCK = {
    "busybox": [pin("busybox-static", "1")],
    "a": [pin("a", "1")],
    "old": [pin("old", "1")],
}
ROOTS = Roots(("http://a/", "http://vendor/"))


class Releases:
    """Stands for debian_index.SuiteIndex; newest: versions that the indexes have."""

    def __init__(self) -> None:
        self.newest = "2"
        self.gone: Optional[str] = None
        self.asked: list[tuple[str, bool]] = []

    def __call__(
        self, folder: Path, suite: str, roots: Roots, expired: bool
    ) -> StandInIndex:
        self.asked.append((suite, expired))
        if suite == self.gone:
            raise NoSuite("no Debian mirror carries it: name one")
        names = ["old"] if suite == "bullseye" else ["busybox-static", "a"]
        stanzas = [
            stanza(name, version)
            for name in names
            for version in dict.fromkeys((self.newest, "1"))
        ]
        index = StandInIndex(stanzas, suite, [("http://a/", suite)])
        index.roots = roots
        return index


@pytest.fixture
def releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    """The releases that the mirrors carry, and a small checkout."""
    folder = tmp_path / "checkout"
    (folder / "debian").mkdir(parents=True)
    (folder / "debian/sets.toml").write_text(SETS)
    (folder / "debian/suites.toml").write_text(SUITES)
    (folder / "debian/lock.json").write_text(json.dumps(lock_json(LOCK)))
    locked = {**LOCK["busybox"][0].json(), "narHash": "old"}
    (folder / "debian/busybox.lock.json").write_text(json.dumps(locked))
    for module in (healing, overlay):
        monkeypatch.setattr(module, "MIRROR_SET", folder)
    found = Releases()
    monkeypatch.setattr(healing, "SuiteIndex", found)
    monkeypatch.setattr(healing, "debian_roots", lambda base: ROOTS)
    monkeypatch.setattr(replacement, "is_satisfied", is_satisfied)
    monkeypatch.setattr(busybox, "pin", lambda pin, base: {"narHash": pin.version})
    return found


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    """An environment with a cache of its own."""
    return {"XDG_CACHE_HOME": str(tmp_path / "cache")}


def absent(*pins: Pin, **faults: Fault) -> AbsentFiles:
    """The error for files that the roots http://NAME/ answered so."""
    errors = []
    for one in pins:
        file = LockedFile("debian", "x", one.sha256, one.location)
        answers = {f"http://{name}/{one.location}": faults[name] for name in faults}
        errors.append(AbsentFile(f"{one.location} is on no mirror", file, answers))
    return AbsentFiles(str(errors[0]), errors)


MISSING = {"a": Fault("HTTP 404", missing=True), "vendor": Fault("HTTP 403")}


def versions(base: dict[str, str]) -> dict[str, list[str]]:
    """The versions of each set in the overlay."""
    content = overlay.read(base)
    assert content is not None
    lock: dict[str, Any] = content["locks"]["debian/lock.json"]
    return {name: [one["version"] for one in each] for name, each in lock.items()}


def test_absent_files_are_replaced_and_said(
    releases: Releases, base: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    healing.heal(absent(*LOCK["a"], **MISSING), base)
    assert versions(base) == {"a": ["2"], "busybox": ["1"], "old": ["1"]}
    assert releases.asked == [("trixie", False)]
    asking, moved, digests = capfd.readouterr().err.splitlines()
    assert asking.startswith("mirror: no mirror has 1 file of Debian 13 (trixie)")
    assert moved.endswith("pins that are on no mirror any more were replaced: a 1 -> 2")
    assert "differ from those recorded" in digests and "--locked" in digests


def test_the_next_absence_adds_to_the_overlay(
    releases: Releases, base: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    healing.heal(absent(*LOCK["a"], **MISSING), base)
    capfd.readouterr()
    healing.heal(absent(*LOCK["old"], **MISSING), base)
    assert "replaced: old 1 -> 2\n" in capfd.readouterr().err
    assert versions(base) == {"a": ["2"], "busybox": ["1"], "old": ["2"]}
    content = overlay.read(base)
    assert content and content["moved"] == "a 1 -> 2, old 1 -> 2"
    assert releases.asked[-1] == ("bullseye", True)


def test_several_releases_at_once(releases: Releases, base: dict[str, str]) -> None:
    healing.heal(absent(*LOCK["a"], *LOCK["old"], **MISSING), base)
    assert versions(base) == {"a": ["2"], "busybox": ["1"], "old": ["2"]}


def test_busybox_gets_its_hash_in_the_store(
    releases: Releases, base: dict[str, str]
) -> None:
    healing.heal(absent(*LOCK["busybox"], **MISSING), base)
    content = overlay.read(base)
    assert content
    assert content["locks"]["debian/busybox.lock.json"] == {"narHash": "2"}


def test_a_locked_run_refuses_in_one_line(
    releases: Releases, base: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(MirrorError) as caught:
        healing.heal(absent(*LOCK["a"], **MISSING), {**base, "MIRROR_LOCKED": "1"})
    message = str(caught.value)
    assert message.startswith("pool/a_1.deb is on no mirror") and "\n" not in message
    assert "--locked" in message
    assert releases.asked == [] and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "faults",
    [
        {"vendor": Fault("HTTP 404", missing=True)},
        {"vendor": Fault("HTTP 404", missing=True), "a": Fault("no answer", down=True)},
        {"vendor": Fault("HTTP 404", missing=True), "a": Fault("HTTP 403")},
    ],
)
def test_a_mirror_that_only_does_not_answer_is_waited_for(
    faults: dict[str, Fault], releases: Releases, base: dict[str, str]
) -> None:
    with pytest.raises(AbsentFile, match="^pool/a_1.deb is on no mirror$"):
        healing.heal(absent(*LOCK["a"], **faults), base)
    assert overlay.read(base) is None


def test_a_mirror_that_the_user_named_has_to_answer(
    releases: Releases, base: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = Roots(("http://own/", "http://a/"), named=("http://own/",))
    monkeypatch.setattr(healing, "debian_roots", lambda base: roots)
    missing = Fault("HTTP 404", missing=True)
    with pytest.raises(AbsentFile):
        healing.heal(absent(*LOCK["a"], a=missing, own=Fault("HTTP 403")), base)
    assert overlay.read(base) is None
    healing.heal(absent(*LOCK["a"], a=missing, own=missing), base)
    assert versions(base)["a"] == ["2"]


def test_a_release_that_is_gone(releases: Releases, base: dict[str, str]) -> None:
    releases.gone = "bullseye"
    expected = r"^pool/old_1.deb of Debian 11 \(bullseye\) is on no mirror, and no Debian mirror"
    with pytest.raises(MirrorError, match=expected):
        healing.heal(absent(*LOCK["a"], *LOCK["old"], **MISSING), base)
    assert overlay.read(base) is None


def test_nothing_newer(releases: Releases, base: dict[str, str]) -> None:
    releases.newest = "1"
    with pytest.raises(
        MirrorError, match="list pool/a_1.deb of trixie and do not have"
    ):
        healing.heal(absent(*LOCK["a"], **MISSING), base)
    assert overlay.read(base) is None


def test_a_file_that_no_set_pins(releases: Releases, base: dict[str, str]) -> None:
    with pytest.raises(AbsentFile):
        healing.heal(absent(pin("other", "1"), **MISSING), base)
