"""Locks: formats, files, candidates, what is for the target."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locked_packages import (
    Lock,
    comes_from,
    read_extra,
    read_marker,
)
from locked_project import read_dependency
from locks import TARGET, package
from resolution_error import ResolutionError


@pytest.mark.parametrize(
    "form, tells", [("1.0", False), ("1.1", False), ("2.0", False), ("2.1", True)]
)
def test_which_formats_tell_groups(form: str, tells: bool) -> None:
    lock = Lock({"metadata": {"lock-version": form}}, TARGET.markers())
    assert lock.tells_groups() is tells
    newer = Lock({"metadata": {"lock-version": "2.10"}}, TARGET.markers())
    assert newer.tells_groups()


@pytest.mark.parametrize("content", [{"name": "a"}, {"version": "1"}, {}])
def test_packages_without_a_name_or_version(content: dict[str, str]) -> None:
    with pytest.raises(ResolutionError, match="poetry lock$"):
        Lock({"package": [content]}, TARGET.markers())


@pytest.mark.parametrize(
    "text, name, extras, constraint",
    [
        ("a", "a", [], "*"),
        ("a (>=1)", "a", [], ">=1"),
        ("a[x,y] (>=1,<2)", "a", ["x", "y"], ">=1,<2"),
        ("a[x] (>=1) ; python_version < '3'", "a", ["x"], ">=1"),
        # of old locks, no PEP 508
        ("a (^1.2)", "a", [], ">=1.2,<2.0"),
        ("a[x] (~1.2)", "a", ["x"], ">=1.2,<1.3"),
    ],
)
def test_what_extras_stand_for(
    text: str, name: str, extras: list[str], constraint: str
) -> None:
    found = read_extra(text)
    assert (found.name, sorted(found.extras)) == (name, extras)
    assert found.constraint == read_dependency("a", constraint).constraint


@given(st.text(alphabet="ab <>=!'\"()_.andorpython1 \n", max_size=30))
def test_any_marker_is_read_or_named(text: str) -> None:
    try:
        read_marker(text)
    except ResolutionError as error:
        assert str(error).startswith("poetry.lock: ") and "\n" not in str(error)


@pytest.mark.parametrize(
    "specification, source, fits",
    [
        ("*", None, True),
        ("*", "legacy", True),
        ("*", "directory", True),
        ({"path": "lib"}, "directory", True),
        ({"path": "lib.whl"}, "file", True),
        ({"path": "lib"}, None, False),
        ({"git": "https://host/a.git"}, "git", True),
        ({"git": "https://host/a.git"}, "url", False),
        ({"url": "https://host/a.whl"}, "url", True),
        ({"version": "*", "source": "here"}, "legacy", True),
        ({"version": "*", "source": "there"}, "legacy", False),
        ({"version": "*", "source": "there"}, None, True),
    ],
)
def test_where_packages_come_from(
    specification: object, source: str, fits: bool
) -> None:
    locked = package("a")
    if source:
        locked["source"] = {"type": source, "url": "x", "reference": "Here"}
    assert comes_from(locked, read_dependency("a", specification)) is fits
