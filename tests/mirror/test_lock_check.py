"""The table of pins that are not what the mirrors offer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lock_check
import pytest
from debian_index import NoSuite
from debian_roots import Roots
from mirror_site import Site
from pins import lock_json
from suite_index import StandInIndex, pin, stanza

SETS = """
[a]
suite = "new"
[b]
suite = "old"
"""
SUITES = """
[new]
version = 13
end = 2999-01-01
[old]
version = 11
end = 2020-01-01
"""

OFFERED = {
    "new": [stanza("same", "1"), stanza("late", "2"), stanza("late", "1")],
    "old": [stanza("gone", "2")],
}


@pytest.fixture
def mirror_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror set whose releases the mirrors carry as OFFERED says."""
    lock = {"a": [pin("same", "1"), pin("late", "1")], "b": [pin("gone", "1")]}
    files = {
        "debian/sets.toml": SETS,
        "debian/suites.toml": SUITES,
        "debian/lock.json": json.dumps(lock_json(lock)),
        "wheels/lock.json": json.dumps(
            {"thing": {"location": "t.whl", "version": "1"}}
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def index(folder: Path, suite: str, roots: Roots, expired: bool) -> Any:
        assert expired is (suite == "old")
        if suite not in OFFERED:
            raise NoSuite(suite)
        return StandInIndex(OFFERED[suite], suite)

    monkeypatch.setattr(lock_check, "MIRROR_SET", tmp_path)
    monkeypatch.setattr(lock_check, "SuiteIndex", index)
    monkeypatch.setattr(lock_check, "debian_roots", lambda base: Roots(("http://a/",)))
    return tmp_path


@pytest.mark.usefixtures("pip_alone", "mirror_set")
def test_a_table(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.answers["/thing/"] = b"<a href=t.whl>"
    assert lock_check.check({"MIRROR_PYPI": site.url}) == 1
    shown = capfd.readouterr()
    assert [line.split() for line in shown.out.splitlines()] == [
        ["what", "pinned", "offered", "state"],
        ["new", "late", "1", "2", "superseded"],
        "Debian 11 (old) past its end of life since 2020-01-01".split(),
        ["old", "gone", "1", "2", "in", "no", "index"],
    ]
    assert shown.err == (
        "mirror: something must be done about 2 of these: ./mirror lock, or name a"
        " mirror of a release that none carries in MIRROR_DEBIAN\n"
    )


@pytest.mark.usefixtures("pip_alone", "mirror_set")
def test_a_wheel_that_no_index_lists(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site.answers["/thing/"] = b"<a href=other.whl>"
    assert lock_check.check({"MIRROR_PYPI": site.url}) == 1
    assert "thing            1                in no index" in capfd.readouterr().out


@pytest.mark.usefixtures("pip_alone")
def test_nothing_to_do(
    mirror_set: Path,
    site: Site,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site.answers["/thing/"] = b"<a href=t.whl>"
    lock = {"a": [pin("same", "1")], "b": [pin("gone", "2")]}
    (mirror_set / "debian/lock.json").write_text(json.dumps(lock_json(lock)))
    assert lock_check.check({"MIRROR_PYPI": site.url}) == 0
    assert "past its end of life" in capfd.readouterr().out


@pytest.mark.usefixtures("pip_alone")
def test_a_release_on_no_mirror(
    mirror_set: Path,
    site: Site,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(OFFERED, "old")
    assert lock_check.check({"MIRROR_PYPI": site.url}) == 1
    assert (
        "Debian 11 (old)  1 packages           on no mirror" in capfd.readouterr().out
    )
