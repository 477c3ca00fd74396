"""Wheels and source archives: which of a package's files is taken."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from distribution_files import (
    Wheel,
    choose_file,
    parse_version,
    sha256_of,
    source_version,
)
from hypothesis import given
from hypothesis import strategies as st
from locks import TARGET, file_of, package, wheel_of
from packaging.tags import Tag, parse_tag
from packaging.utils import parse_wheel_filename
from packaging.version import Version
from resolution_error import ResolutionError

TAGS = list(TARGET.tags())


def chosen(*names: str, version: str = "1.0") -> Optional[str]:
    """The file that is taken; None where none is."""
    try:
        files = [file_of(name) for name in names]
        return choose_file(package("a", version), files, TARGET)["file"]
    except ResolutionError:
        return None


@pytest.mark.parametrize(
    "platform, fits",
    [
        ("manylinux1_x86_64", True),
        ("manylinux2010_x86_64", True),
        ("manylinux2014_x86_64", True),
        ("manylinux_2_17_x86_64", True),
        ("manylinux_2_28_x86_64", True),
        ("manylinux_2_31_x86_64", True),
        ("manylinux_2_32_x86_64", False),
        ("manylinux_2_34_x86_64", False),
        ("musllinux_1_1_x86_64", False),
        ("musllinux_1_2_x86_64", False),
        ("manylinux_2_17_aarch64", False),
        ("manylinux2014_i686", False),
        ("macosx_10_9_x86_64", False),
        ("win_amd64", False),
        ("any", True),
        ("manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("manylinux_2_34_x86_64.musllinux_1_2_x86_64", False),
    ],
)
def test_platforms(platform: str, fits: bool) -> None:
    name = f"a-1.0-cp39-none-{platform}.whl"
    assert chosen(name) == (name if fits else None)


@pytest.mark.parametrize(
    "tag, fits",
    [
        ("cp39-cp39", True),
        ("cp39-abi3", True),
        ("cp36-abi3", True),
        ("cp32-abi3", True),
        ("cp310-abi3", False),
        ("cp310-cp310", False),
        ("cp39-cp39m", False),
        ("pp39-pypy39_pp73", False),
        ("py3-none", True),
        ("py2.py3-none", True),
        ("py39-none", True),
        ("py2-none", False),
    ],
)
def test_interpreters(tag: str, fits: bool) -> None:
    name = f"a-1.0-{tag}-manylinux_2_17_x86_64.whl"
    assert chosen(name) == (name if fits else None)


def test_the_better_of_two() -> None:
    better_first = [
        "a-1.0-cp39-cp39-manylinux_2_28_x86_64.whl",
        "a-1.0-cp39-cp39-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "a-1.0-cp39-abi3-manylinux_2_17_x86_64.whl",
        "a-1.0-cp38-abi3-manylinux_2_28_x86_64.whl",
        "a-1.0-py3-none-manylinux1_x86_64.whl",
        "a-1.0-9-py3-none-any.whl",
        "a-1.0-py3-none-any.whl",
        "a-1.0.tar.gz",
    ]
    for place, name in enumerate(better_first):
        rest = better_first[place:]
        assert chosen(*rest) == name
        assert chosen(*rest[::-1]) == name


def test_build_tags_are_numbers_first() -> None:
    tag = str(TAGS[0])
    names = [f"a-1.0-{build}-{tag}.whl" for build in ("2", "10", "10a", "9z")]
    assert chosen(*names, f"a-1.0-{tag}.whl") == f"a-1.0-10a-{tag}.whl"


@pytest.mark.parametrize(
    "name, version",
    [
        ("Foo.Bar-1.0-py3-none-any.whl", "1.0"),
        ("foo__bar-1.0-py3-none-any.whl", "1.0"),
        ("a-2022.01-py3-none-any.whl", "2022.1"),
        ("a-1.0+cpu-py3-none-any.whl", "1.0+cpu"),
        ("a-1.0_cpu-py3-none-any.whl", "1.0+cpu"),
        ("a-1.0.post1-py3-none-any.whl", "1.0-1"),
        ("a-v1-py3-none-any.whl", "1.0"),
        ("a-odd_version-py3-none-any.whl", "1.0"),
    ],
)
def test_unusual_names(name: str, version: str) -> None:
    assert chosen(name, version=version) == name


def test_files_of_other_versions_are_left() -> None:
    names = ["a-2.0-py3-none-any.whl", "a-1.0.tar.gz", "a-2.0.zip"]
    assert chosen(*names, version="1.0") == "a-1.0.tar.gz"
    assert chosen(*names, version="2.0") == "a-2.0-py3-none-any.whl"
    assert chosen(*names, version="3.0") is None


def test_sources_in_order() -> None:
    suffixes = [".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"]
    names = [f"a-1.0{suffix}" for suffix in suffixes]
    for place, name in enumerate(names):
        assert chosen(*names[place:][::-1]) == name
    assert chosen("a-1.0.exe", "a-1.0-py3.9.egg", "a-1.0.rpm") is None


@pytest.mark.parametrize(
    "files, pattern",
    [
        ([], "^a 1.0 has no wheel .*the lock lists no files"),
        ([wheel_of("a", "1.0", "cp27-none-any")], "none of its 1 files"),
        ([file_of("a-1.whl")], "^a 1.0 has no wheel .* lock a version that has one$"),
        ([file_of("a-1.0-x1-py3-none-any.whl")], "none of its 1 files"),
    ],
)
def test_nothing_that_fits(files: Any, pattern: str) -> None:
    with pytest.raises(ResolutionError, match=pattern):
        choose_file(package("a", files=files), files, TARGET)


@pytest.mark.parametrize(
    "hashed, told",
    [("md5:00", "md5"), ("", "no hash"), ("sha256:", "no hash"), ("sha256:0", "no")],
)
def test_files_that_sha256_does_not_lock(hashed: str, told: str) -> None:
    with pytest.raises(ResolutionError, match=f"^a.whl is locked by {told}.*lock$"):
        sha256_of({"file": "a.whl", "hash": hashed})
    assert sha256_of(file_of("a.whl")) == file_of("a.whl")["hash"][len("sha256:") :]


@given(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8))
def test_the_best_tag_wins(tags: list[Tag]) -> None:
    names = [f"a-1.0-{tag}.whl" for tag in tags]
    best = chosen(*names)
    assert best == chosen(*names[::-1])
    assert best == f"a-1.0-{min(tags, key=TAGS.index)}.whl"


@given(
    st.lists(
        st.tuples(st.sampled_from(TAGS), st.integers(0, 20), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_files_does_not_matter(files: list[Any], random: Any) -> None:
    names = [
        f"a-1.0-{build}-{tag}.whl" if built else f"a-1.0-{tag}.whl"
        for tag, build, built in files
    ]
    turned = list(names)
    random.shuffle(turned)
    assert chosen(*names) == chosen(*turned)


@given(
    st.sampled_from(["a", "A.b", "a_b"]),
    st.sampled_from(["1.0", "2!1.0rc1", "1.0.post2+x.y", "v1"]),
    st.none() | st.tuples(st.integers(0, 99), st.sampled_from(["", "a", "b_c"])),
    st.sampled_from(["py3-none-any", "py2.py3-none-any", *map(str, TAGS[:20])]),
)
def test_names_are_read_as_packaging_reads_them(
    name: str, version: str, build: Optional[tuple[int, str]], tag: str
) -> None:
    middle = f"-{build[0]}{build[1]}" if build else ""
    file = f"{name}-{version}{middle}-{tag}.whl"
    _, told_version, told_build, told_tags = parse_wheel_filename(file)
    wheel = Wheel(file)
    assert (wheel.version, wheel.tags) == (told_version, told_tags)
    assert wheel.build == (told_build or (-1, ""))
    assert parse_tag(tag) == wheel.tags


@given(st.text(max_size=40) | st.text(alphabet="a1.-_pyny", max_size=40))
def test_any_name_is_a_wheel_or_not(name: str) -> None:
    for text in (name, f"{name}.whl", f"{name}.tar.gz"):
        source_version(text)
        try:
            assert isinstance(Wheel(text).version, (Version, type(None)))
        except ValueError:
            pass


def test_a_version_that_is_none() -> None:
    assert parse_version("odd version") is None
    assert source_version("a.whl") is None
