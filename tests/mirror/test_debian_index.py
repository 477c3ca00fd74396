"""What apt answers of a release's indexes, and which keys it is to trust."""

from __future__ import annotations

import email
import json
import os
from collections.abc import Callable
from pathlib import Path

import debian_index
import pytest
from debian_index import NoSuite, SuiteIndex, relations
from debian_roots import Roots
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st

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
    assert debian_index.parse_simulation(text) == [
        f"{name}={version}" for name, version, *_ in packages
    ]


@given(st.dictionaries(NAMES, VERSIONS))
def test_any_stanzas(packages: dict[str, str]) -> None:
    text = "\n".join(
        f"Package: {name}\nVersion: {version}\nDescription: a\n b\n .\n c: d\n"
        for name, version in packages.items()
    )
    found = {one["Package"]: one["Version"] for one in debian_index.parse_stanzas(text)}
    assert found == packages


OPERATORS = st.sampled_from(list(debian_index.OPERATORS))
ALTERNATIVES = st.tuples(NAMES, OPERATORS, VERSIONS) | st.tuples(
    NAMES, st.just(""), st.just("")
)


@given(st.lists(st.lists(ALTERNATIVES, min_size=1)), st.booleans())
def test_any_relations(
    found: list[list[tuple[str, str, str]]], qualified: bool
) -> None:
    def shown(name: str, operator: str, version: str) -> str:
        name += ":any" if qualified else ""
        return f"{name} ({operator} {version})" if operator else name

    text = ", ".join(" | ".join(shown(*one) for one in each) for each in found)
    stanza = email.message_from_string(f"Package: a\nDepends: {text}\n")
    assert relations(stanza) == found


# Its archives are those of the roots http://a/ and http://b/; a root called http://wrong/
# has none, or none that is signed. It knows four packages.
FAKE_APT = """
words = [word for word in arguments if not word.startswith('-')]
def sources():
    (line,) = [word for word in arguments if 'sourcelist' in word]
    return [line.split('] ')[1].split() for line in open(line.partition('=')[2])]
def origin(root): return {'http://vendor/': 'Vendor', 'http://b/': ''}.get(root, 'Debian')
if words[0] == 'indextargets' and '--no-release-info' in arguments:
    sys.exit(0)
if words[0] == 'indextargets':
    for number, (root, archive, _) in enumerate(sources(), start=1):
        entry = f'/a/b/sources.list:{number} {origin(root)}'
        if root != 'http://wrong/' and archive in os.environ['CARRIED'].split():
            print(entry, __file__)
        print(entry, '/not/downloaded')
if words[0] == 'install':
    for package in ('libc6', 'dpkg', 'python3'):
        print(f'Inst {package} (1.0-1 Debian:11 [amd64])')
if words[0] == 'show':
    for word in words[1:]:
        package = word.partition('=')[0]
        if package == 'unknown': continue
        for version in ('1.0-2', '1.0-1') if '--all-versions' in arguments else ('1.0-1',):
            print(f'Package: {package}\\nVersion: {version}\\nFilename: pool/{package}.deb')
            print('Source: source (1.0)\\nSHA256: 00\\nSize: 7\\nDescription: x\\n')
"""

ROOTS = Roots(("http://wrong/", "http://a/"), ("http://c/",))


@pytest.fixture
def apt(program: Program, programs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That apt; returns the folder of its programs' logs."""
    monkeypatch.setenv("CARRIED", "old old-security")
    program("apt-get", FAKE_APT)
    program("apt-cache", FAKE_APT)
    program("apt-config", "")
    keyring = programs / "debian.gpg"
    keyring.touch()
    monkeypatch.setattr(debian_index, "KEYRING", str(keyring))
    return programs


def sources(folder: Path) -> list[list[str]]:
    """The root and the archive of each line of the index's own sources."""
    lines = (folder / "etc/sources.list").read_text().splitlines()
    return [line.partition("] ")[2].split()[:2] for line in lines]


def updates(programs: Path) -> int:
    """How often apt read indexes."""
    return (programs / "apt-get.log").read_text().count('"update"')


def test_what_mirrors_carry(apt: Path, tmp_path: Path) -> None:
    index = SuiteIndex(tmp_path / "index", "old", ROOTS)
    assert index.carried == [("http://a/", "old"), ("http://a/", "old-security")]
    assert updates(apt) == 1
    assert sources(tmp_path / "index") == [
        ["http://a/", "old"],
        ["http://a/", "old-security"],
    ]


def test_another_vendor_is_not_debian(apt: Path, tmp_path: Path) -> None:
    roots = Roots(("http://vendor/", "http://a/"))
    index = SuiteIndex(tmp_path / "index", "old", roots)
    assert {root for root, _ in index.carried} == {"http://a/"}
    assert not [line for line in sources(tmp_path / "index") if "vendor" in line[0]]


def test_what_the_user_names_is_a_mirror_of_debian(apt: Path, tmp_path: Path) -> None:
    named = "http://name:p%2Bq%2Fr@vendor/"
    roots = Roots((named,), named=(named,))
    index = SuiteIndex(tmp_path / "index", "old", roots)
    assert index.carried == [(named, "old"), (named, "old-security")]


def test_siblings_are_asked_for_what_is_lacking(
    apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARRIED", "old")
    index = SuiteIndex(tmp_path / "index", "old", ROOTS)
    assert index.carried == [("http://a/", "old"), ("http://c/", "old")]
    assert updates(apt) == 2
    lines = (apt / "apt-get.log").read_text().splitlines()
    last = [json.loads(line) for line in lines if '"update"' in line][-1]
    assert "-oAcquire::http::Timeout=10" in last


def test_a_release_that_no_mirror_carries(apt: Path, tmp_path: Path) -> None:
    expected = "^no Debian mirror carries new with a signature .* in MIRROR_DEBIAN"
    with pytest.raises(NoSuite, match=expected):
        SuiteIndex(tmp_path / "index", "new", ROOTS)


def test_without_debians_keys_nothing_is_trusted(apt: Path, tmp_path: Path) -> None:
    (apt / "debian.gpg").unlink()
    with pytest.raises(NoSuite, match=": apt-get install debian-archive-keyring$"):
        SuiteIndex(tmp_path / "index", "old", ROOTS)
    assert sources(tmp_path / "index") == []


@pytest.mark.parametrize("expired", [True, False])
def test_a_release_past_its_end_may_have_expired(
    expired: bool, apt: Path, tmp_path: Path
) -> None:
    SuiteIndex(tmp_path / "index", "old", ROOTS, expired)
    text = (tmp_path / "index/etc/sources.list").read_text()
    assert ("check-valid-until=no" in text) is expired


def test_unsigned_indexes_never_count(apt: Path, tmp_path: Path) -> None:
    SuiteIndex(tmp_path / "index", "old", ROOTS)
    for line in (apt / "apt-get.log").read_text().splitlines():
        words = json.loads(line)
        if "update" in words:
            assert "-oAcquire::AllowInsecureRepositories=false" in words
            assert "-oAPT::Default-Release=" in words


def test_packages(apt: Path, tmp_path: Path) -> None:
    index = SuiteIndex(tmp_path / "index", "old", ROOTS)
    assert index.closure(["python3"]) == ["libc6=1.0-1", "dpkg=1.0-1", "python3=1.0-1"]
    assert [one["Package"] for one in index.stanzas(["b", "a=1.0-1"])] == ["b", "a"]
    with pytest.raises(MirrorError, match="^apt-cache show: no entry of unknown$"):
        index.stanzas(["unknown", "a"])
    offered = index.offered(["a", "unknown"])
    assert {
        name: [one["Version"] for one in each] for name, each in offered.items()
    } == {"a": ["1.0-2", "1.0-1"]}


def test_an_apt_that_fails(apt: Path, tmp_path: Path, program: Program) -> None:
    index = SuiteIndex(tmp_path / "index", "old", ROOTS)
    program("apt-cache", "sys.exit('W: odd\\nE: No packages found')")
    with pytest.raises(MirrorError, match="apt-cache show .*libc6: E: No packages"):
        index.stanzas(["libc6"])


def test_without_apt(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MirrorError, match="^no apt-config on this machine: run .* Debian"
    ):
        SuiteIndex(tmp_path / "index", "old", ROOTS)


def test_the_keys_of_a_root(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("debian.gpg", "own.gpg", "parts/a.gpg", "parts/b.asc", "parts/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    entries = tmp_path / "own.sources"
    entries.write_text(
        f"URIs: http://a/debian http://c/\nSigned-By: {tmp_path}/own.gpg\n"
    )
    monkeypatch.setattr(debian_index, "KEYRING", f"{tmp_path}/debian.gpg")
    program(
        "apt-config",
        f"print(\"trusted='{tmp_path}/absent.gpg'\\nparts='{tmp_path}/parts/'\")",
    )
    program("apt-get", f"print('http://a/debian/ {entries}:1\\nhttp://b/ /nowhere:1')")

    def names(root: str) -> list[str]:
        return [os.path.basename(path) for path in debian_index.keyrings(root)]

    assert names("http://a/debian/") == ["debian.gpg", "own.gpg", "a.gpg", "b.asc"]
    assert names("http://b/") == ["debian.gpg", "a.gpg", "b.asc"]


@given(st.text())
def test_any_file_of_sources_is_read(text: str) -> None:
    for path in debian_index.parse_signed_by(text, "http://m/debian/"):
        assert path.startswith("/")


def test_versions_are_compared_by_dpkg(program: Program) -> None:
    log = program("dpkg", "sys.exit(0 if arguments[1] == '2' else 1)")
    assert debian_index.is_satisfied("2", ">=", "1")
    assert not debian_index.is_satisfied("1", ">>", "1")
    assert debian_index.is_satisfied("1", "", "")
    assert debian_index.is_satisfied("1", "=", "1")
    assert len((log.parent / "dpkg.log").read_text().splitlines()) == 2
