"""Roots of Debian archives: what apt is configured with, and what is derived of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import debian_roots
import pytest
from debian_roots import Roots, derive
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st

Program = Callable[[str, str], Path]

SERVICE = "http://snapshots.test/archive/debian/@SNAPSHOTID@/"


def roots_of(base: Mapping[str, str]) -> tuple[str, ...]:
    """The configured roots."""
    return debian_roots.debian_roots(base).configured


def test_mirrors_in_order(program: Program) -> None:
    log = program(
        "apt-get",
        "print('http://b/debian/\\nhttp://a/debian\\ncdrom:[x]/\\nhttp://b/debian/')\n"
        "print('copy:/srv/debian\\ntor+http://x/')",
    ).with_name("apt-get.log")
    assert roots_of({"MIRROR_DEBIAN": " http://own  http://a/debian"}) == (
        *("http://own/", "http://a/debian/", "http://b/debian/", "file:/srv/debian/"),
    )
    assert json.loads(log.read_text()) == [
        "indextargets",
        "--no-release-info",
        "--format",
        "$(REPO_URI)",
    ]


def test_without_apt_the_variable_counts(programs: Path) -> None:
    assert roots_of({"MIRROR_DEBIAN": "http://own/"}) == ("http://own/",)
    with pytest.raises(MirrorError, match="^no Debian mirror is known: set MIRROR_D"):
        roots_of({})


def test_sources_of_other_kinds_are_named(program: Program) -> None:
    program("apt-get", "print('tor+http://x/\\nmirror+http://y/\\ncdrom:[x]/')")
    with pytest.raises(MirrorError, match="of the kind tor.http, mirror.http, cdrom.:"):
        roots_of({})


def test_a_mirror_list(program: Program, tmp_path: Path) -> None:
    listed = tmp_path / "debian.list"
    listed.write_text(
        "# why\n\nhttp://third/\nhttp://arm/\tarch:arm64\nhttp://first/ \tpriority:1\n"
        "http://index/\ttype:index\nhttp://second/\tpriority:20 arch:amd64 type:deb\n"
    )
    program("apt-get", f"print('mirror+file:{listed}/\\nmirror+file:/nowhere/')")
    roots = ("http://first/", "http://second/", "http://third/")
    assert roots_of({}) == roots


@given(st.text())
def test_any_mirror_list_is_read(text: str) -> None:
    for url in debian_roots.parse_mirror_list(text):
        assert url.startswith(debian_roots.SCHEMES)


@pytest.mark.parametrize(
    "root, siblings",
    [
        ("http://m/debian/", ["debian-security/"]),
        ("http://m/debian-security/", ["debian/"]),
        ("file:///srv/debian/", ["debian-security/"]),
        ("http://m/linux/debian/", ["linux/debian-security/"]),
        ("https://me:p%40ss@m/api/debian-remote/", ["api/debian-security-remote/"]),
        ("http://m/archive/debian/2026/", ["archive/debian-security/2026/"]),
        ("http://m/ubuntu/", []),
        ("http://m/", []),
    ],
)
def test_siblings_in_neighbouring_folders(root: str, siblings: list[str]) -> None:
    start = root[: root.index("/", len("https://"))]
    found = [one for one in derive([root]) if "debian-archive" not in one]
    assert found == [f"{start}/{one}" for one in siblings]


def test_an_archive_of_old_releases_may_lie_beside() -> None:
    found = derive(["http://m/pub/debian/", "http://m/pub/debian-security/"])
    assert found == [
        "http://m/pub/debian-archive/debian/",
        "http://m/pub/debian-archive/debian-security/",
    ]
    assert derive(found) == []


def test_hosts_of_a_domain_called_debian() -> None:
    found = derive(["http://ftp.xy.debian.test/debian/"])
    for root in (
        *("http://deb.debian.test/debian/", "http://deb.debian.test/debian-security/"),
        "http://security.debian.test/debian-security/",
        "http://archive.debian.test/debian/",
        "http://archive.debian.test/debian-security/",
    ):
        assert root in found
    assert not [one for one in derive(["http://debian.test/debian/"]) if "deb." in one]
    assert not [
        one for one in derive(["http://m.debian.x.test/debian/"]) if "deb." in one
    ]


def test_snapshot_services_come_with_the_time_of_a_pin() -> None:
    roots = Roots(("http://m/debian/",), tuple(derive(["http://m/debian/"], [SERVICE])))
    assert roots.derived_at("20261128T071500Z")[-2:] == [
        "http://snapshots.test/archive/debian/20261128T071500Z/",
        "http://snapshots.test/archive/debian-security/20261128T071500Z/",
    ]
    assert not any("snapshots" in root for root in roots.derived_at(""))


def test_a_snapshot_service_that_is_no_url_is_passed_over() -> None:
    assert derive(["http://m/ubuntu/"], ["http://[x/@SNAPSHOTID@/"]) == []


def test_what_the_user_names(program: Program) -> None:
    program("apt-get", "print('http://b/debian/')")
    roots = debian_roots.debian_roots({"MIRROR_DEBIAN": "http://a/debian"})
    assert roots.named == ("http://a/debian/",)
    assert roots.configured == ("http://a/debian/", "http://b/debian/")


def test_snapshot_services_that_apt_names(program: Program, tmp_path: Path) -> None:
    prefix = "Acquire::Snapshots::URI"
    settings = {
        f"{prefix}::Origin::Debian": SERVICE,
        f"{prefix}::Override::Origin::Debian": SERVICE.replace("snapshots", "own"),
        f"{prefix}::Label::Debian": "no",
        f"{prefix}::Origin::Other": SERVICE.replace("snapshots", "other"),
        "Acquire::Snapshots": "x",
    }
    dump = "".join(f"{name} {value}\\n" for name, value in settings.items())
    program(
        "apt-config",
        f"if arguments[0] == 'dump': sys.stdout.write('{dump}')\n"
        f"else: print(\"lists='{tmp_path}/lists/'\")",
    )
    (tmp_path / "lists").mkdir()
    named = SERVICE.replace("snapshots", "named")
    release = (
        f"-----BEGIN PGP SIGNED MESSAGE-----\n\nOrigin: Debian\nSnapshots: {named}\n"
    )
    (tmp_path / "lists/m_dists_sid_InRelease").write_text(release)
    other = release.replace("Origin: Debian", "Origin: Other").replace("named", "x")
    (tmp_path / "lists/n_dists_sid_InRelease").write_text(other)
    assert debian_roots.snapshot_services() == [
        SERVICE.replace("snapshots", "own"),
        SERVICE,
        named,
    ]


URLS = st.from_regex(
    r"(https?://([a-z.]{1,12})|file://)(/[a-z-]{0,9}|/debian(-security)?){0,4}/",
    fullmatch=True,
)


@given(st.lists(URLS))
def test_whatever_is_configured_is_not_derived(roots: list[str]) -> None:
    found = derive(roots)
    assert not set(found) & set(roots)
    assert len(found) == len(set(found))
    assert all(
        one.endswith("/") and one.startswith(debian_roots.SCHEMES) for one in found
    )
