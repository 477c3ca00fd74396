"""What apt and pip answer, and the lock files that are made of it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import download
import lock
import machine
import pytest
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st
from mirror_site import Site, make_deb, make_wheel, sha256

Program = Callable[[str, str], Path]

NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,9}", fullmatch=True)
VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~-]{0,9}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, VERSIONS, st.booleans(), st.booleans())))
def test_any_simulation(packages: list[tuple[str, str, bool, bool]]) -> None:
    text = "Reading package lists...\n"
    for name, version, installed, foreign in packages:
        old = " [0.1]" if installed else ""
        name += ":amd64" if foreign else ""
        text += f"Inst {name}{old} ({version} Debian:11.1/stable [amd64]) []\n"
    text += "".join(f"Conf {name} ({version} x)\n" for name, version, *_ in packages)
    assert lock.parse_simulation(text) == [
        f"{name}={version}" for name, version, *_ in packages
    ]


@given(st.dictionaries(NAMES, VERSIONS))
def test_any_stanzas(packages: dict[str, str]) -> None:
    text = "\n".join(
        f"Package: {name}\nVersion: {version}\nDescription: a\n b\n .\n c: d\n"
        for name, version in packages.items()
    )
    found = {each["Package"]: each["Version"] for each in lock.parse_stanzas(text)}
    assert found == packages


RELATIONS = st.tuples(NAMES, st.sampled_from(["", " (>= 1)", ":any", " [amd64]"]))


@given(st.lists(RELATIONS), st.booleans())
def test_any_dependencies(relations: list[tuple[str, str]], folded: bool) -> None:
    separator = ",\n " if folded else ", "
    text = separator.join(f"{name}{rest} | other" for name, rest in relations)
    (stanza,) = lock.parse_stanzas(f"Package: a\nDepends: {text}\nSize: 1\n")
    assert lock.required_packages(stanza) == [name for name, _ in relations]


@given(NAMES, VERSIONS)
def test_a_dependency_on_one_version(name: str, version: str) -> None:
    (stanza,) = lock.parse_stanzas(f"Depends: {name} (= {version})\n")
    assert lock.required_packages(stanza) == [f"{name}={version}"]


def test_a_package_without_dependencies() -> None:
    (stanza,) = lock.parse_stanzas("Package: a\n")
    assert lock.required_packages(stanza) == []


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

# Knows four packages; its mirrors carry the suites "old" and "new".
FAKE_APT = """
name = os.path.basename(sys.argv[0])
words = [word for word in arguments if not word.startswith('-')]
if words[0] == 'update':
    (line,) = [word for word in arguments if 'sourcelist' in word]
    sources = open(line.partition('=')[2]).read()
    sys.exit(100 if 'wrong' in sources else 0)
if words[0] == 'install':
    for package in ('libc6', 'dpkg', 'python3'):
        print(f'Inst {package} (1.0-1 Debian:11 [amd64])')
if words[0] == 'show':
    for word in words[1:]:
        package = word.partition('=')[0]
        if package == 'unknown': continue
        print(f'Package: {package}\\nVersion: 1.0-1\\nFilename: pool/{package}.deb')
        if package == 'kernel': print('Depends: kernel-7.1 (= 1.0-1)')
        print('Source: source (1.0)\\nSHA256: ' + os.environ.get('SHA256', '00'))
        print('Size: 7\\nDescription: x\\n')
"""


@pytest.fixture
def mirror_set(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A mirror set whose lock files are empty, and an apt."""
    folder = tmp_path / "mirror"
    for name in ("debian", "wheels"):
        (folder / name).mkdir(parents=True)
    (folder / "debian/sets.toml").write_text(SETS)
    (folder / "wheels/requirements.txt").write_text("# why\nthing==1.0  # odd\n\n")
    monkeypatch.setattr(lock, "MIRROR_SET", folder)
    monkeypatch.setattr(lock, "debian_mirrors", lambda base: ("http://a/",))
    program("apt-get", FAKE_APT)
    program("apt-cache", FAKE_APT)
    return folder


def locked(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "debian/lock.json").read_text())
    return content


def names(folder: Path) -> dict[str, list[str]]:
    return {
        name: [entry["package"] for entry in entries]
        for name, entries in locked(folder).items()
    }


def test_sets_are_resolved_one_by_one(mirror_set: Path, programs: Path) -> None:
    lock.lock(["base"], {})
    assert names(mirror_set) == {"base": ["libc6"]}
    assert locked(mirror_set)["base"] == [
        {
            "package": "libc6",
            "version": "1.0-1",
            "source": "source",
            "location": "pool/libc6.deb",
            "sha256": "00",
            "size": 7,
        }
    ]
    lock.lock(["python"], {})
    assert names(mirror_set) == {"base": ["libc6"], "python": ["python3"]}
    asked = (programs / "apt-cache.log").read_text().splitlines()
    assert len(asked) == 2
    assert not (mirror_set / "wheels/lock.json").exists()
    assert not list(mirror_set.rglob("*.part"))


def test_a_package_whose_name_a_meta_package_knows(mirror_set: Path) -> None:
    path = mirror_set / "debian/sets.toml"
    path.write_text(SETS + '[linux]\nsuite = "new"\nmeta = "kernel"\nclosure = false\n')
    lock.lock(["linux"], {})
    assert names(mirror_set) == {"linux": ["kernel-7.1"]}


def test_sets_that_are_defined_no_more_go(mirror_set: Path) -> None:
    content = {"gone": [], "base": [{"package": "libc6"}], "python": []}
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


def test_a_release_that_no_mirror_carries(
    mirror_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "debian_mirrors", lambda base: ("http://wrong/",))
    with pytest.raises(MirrorError, match="^no configured Debian mirror carries old"):
        lock.lock(["base"], {})


def test_a_mirror_that_lacks_the_release_is_left_out(
    mirror_set: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "apt").mkdir()
    lock.Apt(tmp_path / "apt", "old", ["http://wrong/", "http://a/"])
    sources = (tmp_path / "apt/etc/sources.list").read_text()
    assert [line.split()[2:4] for line in sources.splitlines()] == [
        ["http://a/", "old"],
        ["http://a/", "old-security"],
        ["http://a/", "old-updates"],
    ]


def test_a_package_that_apt_does_not_know(mirror_set: Path) -> None:
    path = mirror_set / "debian/sets.toml"
    path.write_text(SETS.replace('"libc6"', '"unknown", "libc6"'))
    with pytest.raises(MirrorError, match="^apt-cache show: no entry of unknown$"):
        lock.lock(["base"], {})


def test_an_apt_that_fails(mirror_set: Path, program: Program) -> None:
    program("apt-cache", "sys.exit('W: odd\\nE: No packages found')")
    with pytest.raises(MirrorError, match="apt-cache show .*libc6: E: No packages"):
        lock.lock(["base"], {})


def test_without_apt(mirror_set: Path, programs: Path) -> None:
    (programs / "apt-get").unlink()
    with pytest.raises(MirrorError, match="^no apt-get on this machine"):
        lock.lock(["base"], {})


@pytest.mark.usefixtures("pip_alone")
def test_busybox_is_pinned_by_its_archive(
    mirror_set: Path,
    tmp_path: Path,
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deb = make_deb(tmp_path / "pool.deb", {"bin/busybox": b"program"})
    monkeypatch.setenv("SHA256", sha256(deb.read_bytes()))
    (tmp_path / "debian/pool").mkdir(parents=True)
    deb.rename(tmp_path / "debian/pool/busybox-static.deb")
    root = f"{(tmp_path / 'debian').as_uri()}/"
    for module in (lock, download):
        monkeypatch.setattr(module, "debian_mirrors", lambda base: (root,))
    program("nix", "print('sha256-' + open(arguments[-1] + '/bin/busybox').read())")
    program("apt-config", "")
    path = mirror_set / "debian/sets.toml"
    path.write_text(path.read_text())
    monkeypatch.setattr(
        lock.Apt, "stanzas", sized(lock.Apt.stanzas, root, "busybox-static")
    )
    lock.lock(["busybox"], os.environ)
    pinned = json.loads((mirror_set / "debian/busybox.lock.json").read_text())
    assert pinned["narHash"] == "sha256-program"
    assert pinned["member"] == "bin/busybox"


def sized(original: Any, root: str, package: str) -> Any:
    """The stand-in for apt tells sizes of 7 bytes: this one tells the file's."""

    def stanzas(self: lock.Apt, packages: list[str]) -> Any:
        found = original(self, packages)
        path = Path(root[len("file://") :]) / f"pool/{package}.deb"
        for stanza in found:
            del stanza["Size"]
            stanza["Size"] = str(path.stat().st_size)
        return found

    return stanzas


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


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    lock.write_json(path, {"b": 1, "a": "ä"})
    before = path.read_bytes()
    assert json.loads(before) == {"a": "ä", "b": 1}
    with pytest.raises(TypeError):
        lock.write_json(path, {"b": io})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["lock.json"]
