"""The lock files that are made of what apt and pip answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import busybox
import lock
import machine
import pytest
from debian_index import NoSuite
from debian_roots import Roots
from errors import MirrorError
from mirror_site import Site, make_wheel, sha256
from suite_index import StandInIndex, stanza

SETS = """
[base]
suite = "old"
packages = ["libc6"]
closure = false

[python]
suite = "old"
packages = ["python3"]
above = ["base"]
without = { dpkg = "package manager" }

[busybox]
suite = "new"
packages = ["busybox-static"]
closure = false
"""

SUITES = """
[old]
version = 11
end = 2020-01-01

[new]
version = 13
end = 2999-01-01
"""


class Releases:
    """Stands for debian_index.SuiteIndex; gone: a release that no mirror carries."""

    def __init__(self) -> None:
        self.gone = ""
        self.asked: list[tuple[str, bool]] = []

    def __call__(
        self, folder: Path, suite: str, roots: Roots, expired: bool
    ) -> StandInIndex:
        self.asked.append((suite, expired))
        if suite == self.gone:
            raise NoSuite(f"no Debian mirror carries {suite}")
        stanzas = [
            *(stanza("libc6", "1"), stanza("dpkg", "1"), stanza("python3", "1")),
            stanza("busybox-static", "1"),
        ]
        closures = {"python3": ["libc6", "dpkg"]}
        return StandInIndex(stanzas, suite, closures=closures)


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Releases]:
    """The releases that the mirrors carry."""
    found = Releases()
    monkeypatch.setattr(lock, "SuiteIndex", found)
    yield found


@pytest.fixture
def mirror_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, releases: Releases
) -> Path:
    """A mirror set whose lock files are empty."""
    folder = tmp_path / "mirror"
    for name in ("debian", "wheels"):
        (folder / name).mkdir(parents=True)
    (folder / "debian/sets.toml").write_text(SETS)
    (folder / "debian/suites.toml").write_text(SUITES)
    (folder / "wheels/requirements.txt").write_text("# why\nthing==1.0  # odd\n\n")
    monkeypatch.setattr(lock, "MIRROR_SET", folder)
    monkeypatch.setattr(lock, "debian_roots", lambda base: Roots(("http://a/",)))
    monkeypatch.setattr(busybox, "pin", lambda pin, base: {"narHash": pin.sha256})
    return folder


def names(folder: Path) -> dict[str, list[str]]:
    """The locked packages of each set."""
    locked: dict[str, Any] = json.loads((folder / "debian/lock.json").read_text())
    return {
        name: [entry["package"] for entry in entries]
        for name, entries in locked.items()
    }


def test_sets_are_resolved_one_by_one(mirror_set: Path, releases: Releases) -> None:
    lock.lock(["base"], {})
    assert names(mirror_set) == {"base": ["libc6"]}
    lock.lock(["python"], {})
    assert names(mirror_set) == {"base": ["libc6"], "python": ["python3"]}
    assert releases.asked == [("old", True)] * 2
    assert not (mirror_set / "wheels/lock.json").exists()
    assert not list(mirror_set.rglob("*.part"))


def test_sets_that_are_not_defined_any_more_go(mirror_set: Path) -> None:
    lock.lock(["base"], {})
    content = json.loads((mirror_set / "debian/lock.json").read_text())
    content["gone"] = content["base"]
    (mirror_set / "debian/lock.json").write_text(json.dumps(content))
    lock.lock(["python"], {})
    assert names(mirror_set) == {"base": ["libc6"], "python": ["python3"]}


@pytest.mark.parametrize("chosen", [["nonsense"], ["base", "nonsense"]])
def test_unknown_sets(chosen: list[str], mirror_set: Path) -> None:
    with pytest.raises(MirrorError) as caught:
        lock.lock(chosen, {})
    assert str(caught.value) == (
        "there is no set 'nonsense': ./mirror lock takes base, python, busybox, wheels"
    )
    assert not (mirror_set / "debian/lock.json").exists()


def test_what_can_be_pinned_is_pinned_without_the_others_release(
    mirror_set: Path, releases: Releases
) -> None:
    lock.lock(["base", "python"], {})
    before = names(mirror_set)
    releases.gone = "old"
    expected = "^base, python stay as locked: no Debian mirror carries old$"
    with pytest.raises(MirrorError, match=expected):
        lock.lock(["base", "python", "busybox"], {})
    assert names(mirror_set) == {**before, "busybox": ["busybox-static"]}
    pinned = json.loads((mirror_set / "debian/busybox.lock.json").read_text())
    assert pinned["narHash"] == stanza("busybox-static", "1")["SHA256"]


def test_busybox_stays_where_its_release_is_gone(
    mirror_set: Path, releases: Releases
) -> None:
    releases.gone = "new"
    with pytest.raises(MirrorError, match="^busybox stay as locked: "):
        lock.lock(["base", "busybox"], {})
    assert names(mirror_set) == {"base": ["libc6"]}
    assert not (mirror_set / "debian/busybox.lock.json").exists()


@pytest.mark.usefixtures("pip_alone")
def test_wheels(mirror_set: Path, tmp_path: Path, site: Site) -> None:
    wheel = make_wheel(tmp_path, {"thing.py": b""}).read_bytes()
    name = "thing-1.0-py3-none-any.whl"
    names = [name, "thing-1.0.tar.gz", "thing-1.0-py3-none-win32.whl", "odd.whl"]
    site.answers["/thing/"] = "".join(f"<a href='{n}'>x</a>" for n in names).encode()
    site.answers[f"/thing/{name}"] = wheel
    lock.lock(["wheels"], {"MIRROR_PYPI": site.url})
    assert json.loads((mirror_set / "wheels/lock.json").read_text()) == {
        "thing": {
            "project": "thing",
            "version": "1.0",
            "location": name,
            "sha256": sha256(wheel),
            "size": len(wheel),
        }
    }
    assert not (mirror_set / "debian/lock.json").exists()
    site.answers["/thing/"] = b""
    with pytest.raises(
        MirrorError, match="^thing==1.0: no index lists a wheel for x86"
    ):
        lock.lock(["wheels"], {"MIRROR_PYPI": site.url})


@pytest.mark.parametrize(
    "name, chosen",
    [
        ("poetry_core-1.0-py3-none-any.whl", True),
        ("Poetry.Core-1.0-py3-none-any.whl", True),
        ("poetry_core-1.0-cp39-cp39-manylinux_2_17_x86_64.whl", True),
        ("poetry_core-1.0-cp39-cp39-manylinux_2_17_aarch64.whl", False),
        ("poetry_core-1.0-cp39-cp39-macosx_11_0_x86_64.whl", False),
        ("poetry_core-1.0.1-py3-none-any.whl", False),
        ("poetry_core_more-1.0-py3-none-any.whl", False),
        ("poetry_core-1.0-odd.whl", False),
        ("poetry_core-1.0.tar.gz", False),
    ],
)
def test_wheels_of_a_version(name: str, chosen: bool) -> None:
    machine.import_pip()
    assert bool(lock.wheels_of([name], "poetry-core", "1.0")) is chosen
