"""Markers and wheel tags of Pythons that do not run here."""

from __future__ import annotations

import os
import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment
from packaging.tags import sys_tags
from target import Target

KERNEL = {"platform_release", "platform_version"}


@pytest.fixture
def here() -> Target:
    """The Python of these tests, of which packaging can be asked."""
    library, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
    assert library == "glibc"
    return Target(platform.python_version(), version)


def test_the_tags_are_those_that_packaging_finds_on_that_python(here: Target) -> None:
    assert list(here.tags()) == list(sys_tags())


def test_the_markers_are_those_that_packaging_finds_on_that_python(
    here: Target,
) -> None:
    theirs = {name: str(value) for name, value in default_environment().items()}
    assert set(theirs) == set(here.markers())
    for name, value in here.markers().items():
        assert value == ("" if name in KERNEL else theirs[name]), name


@pytest.mark.parametrize(
    "python, glibc, first, feature",
    [
        ("3.9.2", "2.31", "cp39-cp39-manylinux_2_31_x86_64", "3.9"),
        ("3.11.2", "2.36", "cp311-cp311-manylinux_2_36_x86_64", "3.11"),
        ("3.13.5", "2.41", "cp313-cp313-manylinux_2_41_x86_64", "3.13"),
    ],
)
def test_another_python(python: str, glibc: str, first: str, feature: str) -> None:
    target = Target(python, glibc)
    assert str(next(target.tags())) == first
    assert target.feature_version == feature
    assert target.markers()["python_version"] == feature
    assert target.markers()["python_full_version"] == python
    assert target.markers()["implementation_version"] == python


@given(st.integers(2, 30), st.integers(5, 60))
def test_every_target(minor: int, glibc: int) -> None:
    target = Target(f"3.{minor}.1", f"2.{glibc}")
    tags = [str(tag) for tag in target.tags()]
    assert len(set(tags)) == len(tags)
    assert [target.ranks[tag] for tag in target.tags()] == list(range(len(tags)))
    assert f"cp3{minor}-abi3-manylinux_2_{glibc}_x86_64" in tags
    assert f"cp3{minor + 1}-abi3-linux_x86_64" not in tags
    assert not any(f"manylinux_2_{glibc + 1}_" in tag for tag in tags)
    assert ("py3-none-manylinux2014_x86_64" in tags) == (glibc >= 17)
    assert tags[-1] == "py30-none-any"
    assert not any("musllinux" in tag for tag in tags)
