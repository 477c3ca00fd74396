"""Projects that real Poetry locked: the same packages are chosen as Poetry chooses."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import resolve
import tomli
from distribution_files import choose_file
from locked_packages import Lock
from locks import TARGET
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version
from resolution_error import ResolutionError

CORPUS = Path(__file__).parent / "corpus"
PROJECTS = sorted(path.parent.name for path in CORPUS.glob("*/pyproject.toml"))

sys.path.insert(0, str(CORPUS))

import expect  # noqa: E402


def selections() -> list[Any]:
    """Each project and selection, named after groups and extras."""
    found = []
    for name in PROJECTS:
        content = json.loads((CORPUS / name / "expected.json").read_text())
        for selection in content["selections"]:
            words = "+".join([*selection["groups"], *selection["extras"]])
            found.append(pytest.param(name, selection, id=f"{name}: {words}"))
    return found


def read(name: str, file: str) -> dict[str, Any]:
    return tomli.loads((CORPUS / name / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name, selection", selections())
def test_the_choice_is_poetrys(name: str, selection: dict[str, Any]) -> None:
    chosen = resolve.resolve(
        read(name, "pyproject.toml"),
        read(name, "poetry.lock"),
        selection["groups"],
        selection["extras"],
        TARGET,
    )
    ours = {each["name"]: each["version"] for each in chosen}
    poetrys = {str(canonicalize_name(n)): v for n, v in selection["chosen"].items()}
    assert ours and poetrys
    different = {
        each for each in {*ours, *poetrys} if ours.get(each) != poetrys.get(each)
    }
    assert different == set(selection["differences"]), (ours, poetrys)
    assert all(len(reason) > 20 for reason in selection["differences"].values())


@pytest.mark.parametrize("name", PROJECTS)
def test_the_file_has_the_first_tag_that_any_file_has(name: str) -> None:
    lock = Lock(read(name, "poetry.lock"), TARGET.markers())
    for package in (each for named in lock.packages.values() for each in named):
        if "source" in package:
            continue
        version = Version(package["version"])
        known = {}
        for file in lock.files(package):
            if file["file"].endswith(".whl"):
                _, told, _, theirs = parse_wheel_filename(file["file"])
                if told == version:
                    known[file["file"]] = theirs
        fitting: list[str] = []
        for tag in TARGET.tags():
            fitting = fitting or [file for file in known if tag in known[file]]
        try:
            chosen = choose_file(package, lock.files(package), TARGET)["file"]
        except ResolutionError:
            assert not fitting
            continue
        assert chosen in fitting or not fitting and not chosen.endswith(".whl")


def test_what_is_source_and_what_is_a_folder() -> None:
    def kinds(name: str, kind: str) -> set[str]:
        files = [read(name, file) for file in ("pyproject.toml", "poetry.lock")]
        found = resolve.resolve(files[0], files[1], ["main"], ["*"], TARGET)
        return {each["name"] for each in found if each["kind"] == kind}

    assert kinds("source-only", "source") == {
        *("antlr4-python3-runtime", "docopt", "pyperclip", "termcolor"),
        "pylint-celery",
    }
    assert kinds("path-dependencies", "folder") == {"library", "plugin"}
    assert not any(kinds(name, "source") for name in ("web-api", "data-science"))


def test_the_corpus_is_what_it_is_meant_to_be() -> None:
    assert len(PROJECTS) >= 12
    formats = {
        read(name, "poetry.lock")["metadata"]["lock-version"] for name in PROJECTS
    }
    assert formats == {"1.1", "2.0", "2.1"}
    size = sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file())
    assert size < 2_000_000


@pytest.mark.parametrize("name", PROJECTS)
def test_a_lock_names_no_host(name: str) -> None:
    text = (CORPUS / name / "poetry.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"\b[a-z0-9-]+\.(?:org|com|net|io|dev)\b(?![-.\w]*\")", text)
    for package in read(name, "poetry.lock")["package"]:
        assert package.get("description", "") == ""
        assert package.get("source", {}).get("type") in (None, "directory")


def test_what_poetry_prints() -> None:
    text = """
Package operations: 3 installs, 0 updates, 0 removals, 1 skipped

  \x1b[36m-\x1b[39m Installing a.b (1.0+local)
  • Installing c (2.0): Skipped for the following reason: Not required
  - Installing D (3.0 /some/where)
"""
    assert expect.parse_installation(text) == {"a-b": "1.0+local", "d": "3.0"}


@pytest.mark.parametrize(
    "version, groups, extras, options",
    [
        ("1.1.15", ["main"], ["a"], ["--no-dev", "--extras", "a"]),
        ("1.1.15", ["main", "dev"], [], []),
        ("1.8.5", ["main", "x"], ["a"], ["--only", "main,x", "--extras", "a"]),
    ],
)
def test_the_options_of_poetry(
    version: str, groups: list[str], extras: list[str], options: list[str]
) -> None:
    selection = {"groups": groups, "extras": extras}
    assert sorted(expect.selection_options(version, selection)) == sorted(options)


def test_descriptions_are_taken_out() -> None:
    text = 'a = 1\ndescription = "it\\"s at host.example"\nb = 2\n'
    assert expect.without_descriptions(text) == 'a = 1\ndescription = ""\nb = 2\n'
