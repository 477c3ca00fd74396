"""Which pins are replaced, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import replacement
from debian_index import Stanza
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st
from pins import Lock, Pin
from replacement import Move, Replacement, moves_of
from suite_index import StandInIndex, is_satisfied, pin, stanza


@pytest.fixture(autouse=True, scope="module")
def comparison() -> Any:
    """Versions are compared without dpkg, which is not everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replacement, "is_satisfied", is_satisfied)
        yield


def one_set(**more: Any) -> dict[str, Any]:
    """A set of exactly the packages that are locked."""
    return {"suite": "trixie", "closure": False, **more}


def replace(
    lock: Lock,
    index: StandInIndex,
    absent: Sequence[Pin] = (),
    **sets: dict[str, Any],
) -> dict[str, list[str]]:
    """The packages of each set afterwards, as NAME=VERSION."""
    hashes = [one.sha256 for one in absent]
    sets = {name: sets.get(name, one_set()) for name in lock}
    result = Replacement(lock, sets, index, hashes).run()  # type: ignore[arg-type]
    return {
        name: [f"{one.package}={one.version}" for one in pins]
        for name, pins in result.items()
    }


def test_only_what_is_absent_moves() -> None:
    lock = {"a": [pin("a", "1"), pin("b", "1")]}
    index = StandInIndex(
        [stanza("a", "2"), stanza("a", "1"), stanza("b", "2"), stanza("b", "1")]
    )
    assert replace(lock, index, lock["a"][:1]) == {"a": ["a=2", "b=1"]}


def test_what_is_in_no_index_moves_with_it() -> None:
    lock = {"a": [pin("a", "1"), pin("b", "1")]}
    index = StandInIndex([stanza("a", "2"), stanza("b", "2")])
    assert replace(lock, index, lock["a"][:1]) == {"a": ["a=2", "b=2"]}


def test_other_releases_stay() -> None:
    lock = {"a": [pin("a", "1")], "old": [pin("a", "1")]}
    old = one_set(suite="bullseye")
    index = StandInIndex([stanza("a", "2")])
    assert replace(lock, index, lock["a"], old=old) == {"a": ["a=2"], "old": ["a=1"]}


def test_packages_of_one_source_move_together_in_all_sets() -> None:
    lock = {
        "a": [pin("libc6", "1", source="glibc")],
        "b": [pin("libc6-dev", "1", source="glibc"), pin("make", "1")],
    }
    index = StandInIndex(
        [
            *(stanza("libc6", version, source="glibc") for version in "21"),
            *(stanza("libc6-dev", version, source="glibc") for version in "21"),
            *(stanza("make", version) for version in "21"),
        ]
    )
    expected = {"a": ["libc6=2"], "b": ["libc6-dev=2", "make=1"]}
    assert replace(lock, index, lock["a"]) == expected


def test_what_a_moved_package_wants_newer_moves() -> None:
    lock = {"a": [pin("a", "1"), pin("b", "1"), pin("c", "1")]}
    index = StandInIndex(
        [
            stanza("a", "2", "b (>= 2), c (>= 1) | d (>= 9)"),
            *(stanza(name, version) for name in "bc" for version in "21"),
        ]
    )
    assert replace(lock, index, lock["a"][:1]) == {"a": ["a=2", "b=2", "c=1"]}


def test_what_wants_the_former_version_moves() -> None:
    lock = {"a": [pin("a", "1")], "b": [pin("b", "1", "a (= 1)")]}
    index = StandInIndex(
        [stanza("a", "2"), stanza("b", "2", "a (= 2)"), stanza("b", "1", "a (= 1)")]
    )
    assert replace(lock, index, lock["a"]) == {"a": ["a=2"], "b": ["b=2"]}


def test_new_dependencies_come_and_those_left_out_stay_out() -> None:
    lock = {
        "low": [pin("libc6", "1")],
        "a": [pin("a", "1", "libc6, adduser, perl-base")],
    }
    index = StandInIndex(
        [
            stanza("libc6", "1"),
            stanza("a", "2", "libc6, adduser, perl-base, dpkg, libnew, x | libc6"),
            *(stanza(name, "1") for name in ("libnew", "libdeep", "dpkg", "perl-base")),
        ],
        closures={"libnew": ["libdeep", "libc6", "perl-base"]},
    )
    wanted = one_set(above=["low"], without={"dpkg": "package manager"})
    found = replace(lock, index, lock["a"], a=wanted)
    assert found["a"] == ["a=2", "libdeep=1", "libnew=1"]


def test_the_kernel_is_found_through_its_meta_package() -> None:
    lock = {"linux": [pin("linux-image-1", "1", source="linux")]}
    index = StandInIndex(
        [
            stanza("linux-image", "2", "linux-image-2 (= 2)", source="linux"),
            stanza("linux-image-2", "2", "kmod", source="linux"),
        ]
    )
    wanted = one_set(meta="linux-image")
    found = replace(lock, index, lock["linux"], linux=wanted)
    assert found == {"linux": ["linux-image-2=2"]}


def test_what_left_the_release_and_is_not_absent_stays() -> None:
    lock = {"a": [pin("a", "1"), pin("left", "1")]}
    index = StandInIndex([stanza("a", "2")])
    assert replace(lock, index, lock["a"][:1]) == {"a": ["a=2", "left=1"]}


def test_a_kernel_of_another_name_is_superseded() -> None:
    lock = {"a": [pin("a", "1")], "linux": [pin("linux-image-1", "1", source="linux")]}
    index = StandInIndex(
        [
            *(stanza("a", "2"), stanza("linux-image", "2", "linux-image-2 (= 2)")),
            stanza("linux-image-2", "2", source="linux"),
        ]
    )
    found = replace(lock, index, lock["a"], linux=one_set(meta="linux-image"))
    assert found == {"a": ["a=2"], "linux": ["linux-image-2=2"]}


def test_a_package_that_left_the_release() -> None:
    lock = {"a": [pin("a", "1")]}
    with pytest.raises(MirrorError, match="^a of trixie is in no index"):
        replace(lock, StandInIndex([stanza("b", "1")]), lock["a"])


def test_a_mirror_that_lists_what_it_does_not_have() -> None:
    lock = {"a": [pin("a", "1")]}
    with pytest.raises(
        MirrorError, match="list pool/a_1.deb of trixie and do not have"
    ):
        replace(lock, StandInIndex([stanza("a", "1")]), lock["a"])


def test_nothing_older_stands_for_a_pin() -> None:
    lock = {"a": [pin("a", "2")]}
    index = StandInIndex([stanza("a", "1")])
    expected = "a 1 of trixie, which is older than the pinned 2: .* MIRROR_DEBIAN"
    with pytest.raises(MirrorError, match=expected):
        replace(lock, index, lock["a"])


def test_a_newer_version_beside_an_older_one() -> None:
    lock = {"a": [pin("a", "1"), pin("b", "2")]}
    index = StandInIndex([stanza("a", "2"), stanza("b", "1")])
    with pytest.raises(MirrorError, match="b 1 of trixie, which is older"):
        replace(lock, index, lock["a"][:1])


def test_no_older_kernel_stands_for_a_pin() -> None:
    lock = {"linux": [pin("linux-image-2", "2", source="linux")]}
    index = StandInIndex(
        [
            stanza("linux-image", "1", "linux-image-1 (= 1)", source="linux"),
            stanza("linux-image-1", "1", "kmod", source="linux"),
        ]
    )
    with pytest.raises(MirrorError, match="linux-image-1 1 of trixie, which is older"):
        replace(lock, index, lock["linux"], linux=one_set(meta="linux-image"))


def test_moves_are_said() -> None:
    before = {"a": [pin("a", "1"), pin("gone", "1")], "b": [pin("a", "1")]}
    after = {"a": [pin("a", "2"), pin("new", "1")], "b": [pin("a", "2")]}
    moved = moves_of(before, after)
    assert replacement.summary(moved) == (
        "a 1 -> 2, gone 1 (not needed any more), new 1 (new)"
    )
    many = [Move(str(number), "1", "2") for number in range(20)]
    assert replacement.summary(many).endswith("11 1 -> 2, and 8 more")


NAMES = st.sampled_from("abcdefgh")
DEPENDS = st.lists(
    st.tuples(NAMES, st.sampled_from(["", "=", ">="])), max_size=3, unique=True
)


@given(
    sources=st.dictionaries(NAMES, st.sampled_from("xyz"), min_size=1),
    depends=st.dictionaries(NAMES, DEPENDS),
    absent=st.sets(NAMES),
)
def test_any_release_fits_together_afterwards(
    sources: dict[str, str],
    depends: dict[str, list[tuple[str, str]]],
    absent: set[str],
) -> None:
    def entry(name: str, version: str) -> Stanza:
        relations = [
            f"{other} ({operator} {version})" if operator else other
            for other, operator in depends.get(name, [])
            if other in sources
        ]
        return stanza(name, version, ", ".join(relations), sources[name])

    lock = {
        "all": [
            Pin.of(entry(name, "1"), "20260101T000000Z") for name in sorted(sources)
        ]
    }
    index = StandInIndex(
        entry(name, version)
        for name in sources
        for version in ("2", "1")
        if version == "2" or name not in absent
    )
    gone = [one for one in lock["all"] if one.package in absent]
    hashes = [one.sha256 for one in gone]
    result = Replacement(
        *(lock, {"all": one_set()}, index, hashes)  # type: ignore[arg-type]
    ).run()
    versions = {one.package: one.version for one in result["all"]}
    assert set(versions) == set(sources)
    for name, version in versions.items():
        if name in absent:
            assert version == "2"
        for other, operator in depends.get(name, []):
            if other in sources:
                assert is_satisfied(versions[other], operator, version)
    if not gone:
        assert result == lock
