"""Packages and files out of pyproject.toml and poetry.lock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import pytest
import resolve
from hypothesis import given
from hypothesis import strategies as st
from locks import (
    FEATURE_VERSION,
    TARGET,
    choose,
    describe,
    file_of,
    needs,
    package,
    wheel_of,
)
from resolution_error import ResolutionError


def test_what_is_needed_and_nothing_else() -> None:
    packages = [
        package("a", dependencies={"b": ">=1"}),
        package("b", dependencies={"a": "*"}),
        package("unneeded"),
    ]
    assert choose(needs(a="^1.0"), packages) == {"a": "1.0", "b": "1.0"}
    assert choose(needs(), packages) == {}


@pytest.mark.parametrize("spelling", ["My_Thing", "my.thing", "MY-THING", "my-thing"])
def test_names_in_other_spellings(spelling: str) -> None:
    packages = [package("My.Thing", dependencies={"other_Thing": "*"})]
    packages.append(package("Other-thing"))
    found = choose(needs(**{spelling: "*"}), packages)
    assert found == {"my-thing": "1.0", "other-thing": "1.0"}


@pytest.mark.parametrize("version", ["1.0", "1.1", "2.0", "2.1"])
def test_formats(version: str) -> None:
    one = package("My.Thing")
    metadata: dict[str, Any] = {"lock-version": version}
    if version < "2":
        metadata["files"] = {"my-thing": one.pop("files")}
    if version == "2.1":
        one["groups"] = ["main"]
    lock = {"package": [one], "metadata": metadata}
    pyproject = {"tool": {"poetry": needs(my_thing="*")}}
    (chosen,) = resolve.resolve(pyproject, lock, ["main"], ["*"], TARGET)
    assert chosen["file"] == "My.Thing-1.0-py3-none-any.whl"


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(ResolutionError, match="poetry.lock is of format 3.0"):
        choose(needs(), [], version="3.0")


class TestVariants:
    """Several versions of one package in a lock."""

    OLD, NEW = package("a", "1.0"), package("a", "2.0")

    def test_by_the_constraint(self) -> None:
        both = [self.OLD, self.NEW]
        assert choose(needs(a="^1.0"), both) == {"a": "1.0"}
        assert choose(needs(a="^2.0"), both) == {"a": "2.0"}

    def test_by_the_python(self) -> None:
        old = {**self.OLD, "python-versions": f"<{FEATURE_VERSION}"}
        new = {**self.NEW, "python-versions": f">={FEATURE_VERSION}"}
        assert choose(needs(a="*"), [old, new]) == {"a": "2.0"}
        assert choose(needs(a="*"), [new, old]) == {"a": "2.0"}

    def test_by_multiple_constraints(self) -> None:
        project = needs(
            a=[
                {"version": "^1.0", "python": f"<{FEATURE_VERSION}"},
                {"version": "^2.0", "python": f">={FEATURE_VERSION}"},
            ]
        )
        assert choose(project, [self.OLD, self.NEW]) == {"a": "2.0"}

    @pytest.mark.parametrize("turned", [False, True])
    @pytest.mark.parametrize("wish", ["<2", ">=2"])
    def test_all_wishes_are_heard_whatever_comes_first(
        self, wish: str, turned: bool
    ) -> None:
        both = [self.OLD, self.NEW][:: -1 if turned else 1]
        packages = [
            *both,
            package("b", dependencies={"a": "*"}),
            package("c", dependencies={"d": "*"}),
            package("d", dependencies={"a": wish}),
        ]
        found = choose(needs(b="*", c="*"), packages)
        assert found["a"] == ("1.0" if wish == "<2" else "2.0")
        assert sorted(found) == ["a", "b", "c", "d"]

    def test_a_variants_own_needs_go_with_it(self) -> None:
        packages = [
            package("a", "1.0"),
            package("a", "2.0", {"only-of-new": "*"}),
            package("b", dependencies={"a": "<2"}),
            package("only-of-new"),
        ]
        assert choose(needs(a="*", b="*"), packages) == {"a": "1.0", "b": "1.0"}

    def test_the_newest_otherwise(self) -> None:
        ten = package("a", "10.0")
        assert choose(needs(a="*"), [self.NEW, ten, self.OLD]) == {"a": "10.0"}

    def test_wishes_that_no_version_fulfils(self) -> None:
        packages = [
            *(self.OLD, self.NEW),
            package("b", dependencies={"a": "<2"}),
            package("c", dependencies={"a": ">=2"}),
        ]
        with pytest.raises(
            ResolutionError, match="^a 1.0 and >=2 of it .* poetry lock$"
        ):
            choose(needs(b="*", c="*"), packages)


@pytest.mark.parametrize(
    "locked, pattern",
    [
        ([], r"no a \^1.5 for Python .* \(locked: none\): poetry lock$"),
        ([package("a", "1.0")], r"\(locked: 1.0\)"),
        ([package("a", "1.6", python_versions="<3")], r"\(locked: 1.6\)"),
    ],
)
def test_what_the_lock_lacks(locked: list[Any], pattern: str) -> None:
    with pytest.raises(ResolutionError, match=pattern):
        choose(needs(a="^1.5"), locked)


def test_markers_of_dependencies() -> None:
    markers = {
        "b": {"version": "*", "markers": "sys_platform == 'win32'"},
        "c": {"version": "*", "markers": f"python_version >= '{FEATURE_VERSION}'"},
        "d": [
            {"version": "<1", "markers": f"python_version < '{FEATURE_VERSION}'"},
            {"version": ">=1", "markers": f"python_version >= '{FEATURE_VERSION}'"},
        ],
    }
    packages = [package(name) for name in "bcd"] + [package("a", dependencies=markers)]
    assert sorted(choose(needs(a="*"), packages)) == ["a", "c", "d"]


def optional(extra: str) -> dict[str, Any]:
    return {"version": "*", "optional": True, "markers": f'extra == "{extra}"'}


def test_extras_of_packages() -> None:
    one = package(
        "a",
        dependencies={"b": optional("fast"), "c": optional("Slow_One"), "d": "*"},
        extras={
            "fast": ["b (>=1)"],
            "Slow_One": ["c ; sys_platform != 'x'"],
            "all": ["a[fast]", "a[slow-one]"],
        },
    )
    packages = [one, *(package(name) for name in "bcd")]

    def with_extras(*extras: str) -> str:
        wish = {"version": "*", "extras": list(extras)}
        return "".join(sorted(choose(needs(a=wish), packages)))

    assert with_extras() == "ad"
    assert with_extras("fast") == "abd"
    assert with_extras("slow.one") == "acd"
    assert with_extras("all") == "abcd"


def test_a_package_with_extras_and_without() -> None:
    packages = [
        package("a", dependencies={"b": optional("x")}, extras={"x": ["b"]}),
        package("b"),
        package("c", dependencies={"a": {"version": "*", "extras": ["x"]}}),
    ]
    assert sorted(choose(needs(a="*", c="*"), packages)) == ["a", "b", "c"]


def test_extras_of_the_project() -> None:
    project = {
        **needs(a={"version": "*", "optional": True}, b="*"),
        "extras": {"Full_One": ["A"]},
    }
    packages = [package("a"), package("b")]
    assert sorted(choose(project, packages)) == ["a", "b"]
    assert sorted(choose(project, packages, extras=["full-one"])) == ["a", "b"]
    assert sorted(choose(project, packages, extras=[])) == ["b"]
    with pytest.raises(ResolutionError, match="has no extra 'odd' .it has: full-one"):
        choose(project, packages, extras=["odd"])


def test_groups() -> None:
    project = {
        **needs(a="*"),
        "dev-dependencies": {"b": "*"},
        "group": {
            "dev": {"dependencies": {"c": "*"}},
            "docs": {"optional": True, "dependencies": {"d": "*"}},
        },
    }
    packages = [package(name) for name in "abcd"]

    def of(*groups: str) -> str:
        return "".join(choose(project, packages, groups=groups))

    assert of("main") == "a"
    assert of("main", "dev") == "abc"
    assert of("docs") == "d"
    assert choose(needs(a="*"), packages, groups=["main", "dev"]) == {"a": "1.0"}
    with pytest.raises(ResolutionError, match="no group 'tests' .it has: dev, docs, m"):
        of("main", "tests")


def of_groups(name: str, *groups: str, markers: Any = "", **more: Any) -> Any:
    """A package of a lock of format 2.1."""
    return package(name, groups=list(groups), markers=markers, **more)


class TestFormat21:
    """Locks whose packages tell their groups and markers."""

    @pytest.mark.parametrize("markers", ["sys_platform == '{}'", {"main": "{}"}])
    def test_by_the_markers(self, markers: Any) -> None:
        def of(platform: str) -> Any:
            if isinstance(markers, dict):
                return {"main": f"sys_platform == '{platform}'"}
            return markers.format(platform)

        old = of_groups("a", "main", version="1.0", markers=of(sys.platform))
        new = of_groups("a", "main", version="2.0", markers=of("win32"))
        assert choose(needs(a="*"), [new, old], version="2.1") == {"a": "1.0"}

    def test_a_marker_of_another_group_is_none_of_this_one(self) -> None:
        markers = {"docs": "sys_platform == 'odd'"}
        packages = [of_groups("a", "main", "docs", markers=markers)]
        project = {**needs(a="*"), "group": {"docs": {"dependencies": {"a": "*"}}}}
        assert choose(project, packages, ["main"], version="2.1") == {"a": "1.0"}
        assert choose(project, packages, ["docs"], version="2.1") == {}
        assert choose(project, packages, ["docs", "main"], version="2.1")

    def test_by_groups(self) -> None:
        project = {
            "tool": {"poetry": {"group": {"Docs_One": {"optional": True}}}},
            "dependency-groups": {"Lint": ["b"]},
        }
        packages = [
            of_groups("a", "main"),
            of_groups("b", "lint", "docs-one"),
            of_groups("c", "Docs_One"),
        ]

        def chosen(*groups: str) -> str:
            return "".join(choose(project, packages, groups, version="2.1"))

        assert chosen("main", "dev") == "a"
        assert chosen("lint") == "b"
        assert chosen("docs_one", "main") == "abc"
        with pytest.raises(ResolutionError, match="no group .odd. .it has: docs-one, "):
            chosen("odd")

    def test_by_extras(self) -> None:
        project = {
            "project": {"optional-dependencies": {"X_1": ["a"], "y": ["b"]}},
            "tool": {},
        }
        packages = [
            of_groups("a", "main", markers='extra == "x-1"'),
            of_groups("b", "main", markers='extra == "x-1" and extra == "y"'),
            of_groups("c", "main", markers='extra != "y"'),
        ]

        def chosen(*extras: str) -> str:
            return "".join(choose(project, packages, ["main"], extras, version="2.1"))

        assert chosen() == "c"
        assert chosen("x.1") == "ac"
        assert chosen("y") == ""
        assert chosen("*") == chosen("x-1", "Y") == "ab"

    def test_two_versions_at_once(self) -> None:
        packages = [of_groups("a", "main"), of_groups("a", "dev", version="2.0")]
        assert choose(needs(a="*"), packages, ["dev"], version="2.1") == {"a": "2.0"}
        with pytest.raises(ResolutionError, match="has a 1.0 and 2.0 .*poetry lock$"):
            choose(needs(a="*"), packages, ["main", "dev"], version="2.1")

    def test_a_marker_that_is_none(self) -> None:
        packages = [of_groups("a", "main", markers="odd odd")]
        with pytest.raises(ResolutionError, match="^poetry.lock: .*: poetry lock$"):
            choose(needs(a="*"), packages, version="2.1")


def test_pep_621_needs_a_lock_that_tells_groups() -> None:
    project = {"project": {"dependencies": ["a"]}, "tool": {}}
    found = choose(project, [of_groups("a", "main")], version="2.1")
    assert found == {"a": "1.0"}
    with pytest.raises(
        ResolutionError, match=r"\[project\] .* poetry lock with Poetry 2"
    ):
        choose(project, [package("a")], version="2.0")


def test_groups_that_include_others() -> None:
    project = {
        "group": {
            "a": {"dependencies": {"a": "*"}, "include-groups": ["B"]},
            "b": {"include-groups": ["c", "a"]},
            "c": {"dependencies": {"c": "*"}},
        },
    }
    packages = [package("a"), package("c")]
    assert choose(project, packages, ["a"]) == {"a": "1.0", "c": "1.0"}
    assert choose(project, packages, ["b"]) == {"a": "1.0", "c": "1.0"}
    assert choose(project, packages, ["c"]) == {"c": "1.0"}


class TestSources:
    """Packages that no index serves."""

    def chosen(self, source: Any, files: Any, specification: Any = "*") -> Any:
        locked = package("a", files=files, source=source)
        (found,) = describe(needs(a=specification), [locked])
        return found

    def refused(self, source: Any, files: Any = (), specification: Any = "*") -> str:
        with pytest.raises(ResolutionError) as caught:
            self.chosen(source, files, specification)
        told = str(caught.value)
        assert "\n" not in told
        return told

    def test_a_folder(self) -> None:
        source = {"type": "directory", "url": "../lib"}
        found = self.chosen(source, [], {"path": "../lib", "develop": True})
        assert found == {
            **{"name": "a", "version": "1.0"},
            **{"kind": "folder", "path": "../lib"},
        }

    @pytest.mark.parametrize("suffix", ["-py3-none-any.whl", ".tar.gz"])
    def test_a_file_of_the_project(self, suffix: str) -> None:
        name = f"a-1.0{suffix}"
        source = {"type": "file", "url": f"files/{name}"}
        found = self.chosen(source, [file_of(name)], {"path": f"files/{name}"})
        assert found["path"] == f"files/{name}" and found["file"] == name
        assert found["kind"] == ("source" if suffix == ".tar.gz" else "wheel")

    def test_a_url_is_a_files_name(self) -> None:
        wheel = wheel_of("a", "1.0")
        url = f"https://host/{wheel['file']}"
        source = {"type": "url", "url": f"{url}?a=b#c"}
        found = self.chosen(source, [wheel, wheel_of("a", "1.1")], {"url": url})
        assert found["file"] == wheel["file"] and "path" not in found
        assert "is locked without sha256: poetry lock" in self.refused(source)
        subdirectory = {**source, "subdirectory": "x"}
        assert "publish it" in self.refused(subdirectory, [wheel])

    def test_git(self) -> None:
        told = self.refused(
            {"type": "git", "url": "https://host/a.git", "resolved_reference": "0"},
            specification={"git": "https://host/a.git"},
        )
        assert told.startswith("a 1.0 comes from a git repository")
        assert told.endswith('a = { path = "…" }') and "host" not in told

    def test_a_private_index(self) -> None:
        source = {"type": "legacy", "url": "https://host/simple", "reference": "own"}
        assert self.chosen(source, None)["kind"] == "wheel"

    def test_of_variants_the_one_from_there(self) -> None:
        own = {"type": "legacy", "url": "https://host/simple", "reference": "own"}
        packages = [
            package("a", "1.0", source=own),
            package("a", "1.1", source={"type": "directory", "url": "lib"}),
            package("a", "1.2"),
        ]

        def version(specification: Any) -> str:
            return choose(needs(a=specification), packages)["a"]

        assert version("*") == "1.2"
        assert version({"version": "*", "source": "Own"}) == "1.2"
        assert version({"version": "<1.1", "source": "Own"}) == "1.0"
        assert version({"path": "lib"}) == "1.1"
        with pytest.raises(ResolutionError, match="has no a"):
            version({"git": "https://host/a.git"})


def test_what_is_locked_as_source_alone() -> None:
    locked = package("a", files=[file_of("a-1.0.tar.gz")])
    (found,) = describe(needs(a="*"), [locked])
    assert (found["kind"], found["file"]) == ("source", "a-1.0.tar.gz")


def test_the_files_of_old_locks_are_those_of_all_versions() -> None:
    packages = [package("a", "1.0"), package("a", "2.0")]
    files = [file for each in packages for file in each.pop("files")]
    lock = {
        "package": packages,
        "metadata": {"lock-version": "1.1", "files": {"a": files}},
    }
    for wish, name in (("<2", "a-1.0"), ("*", "a-2.0")):
        pyproject = {"tool": {"poetry": needs(a=wish)}}
        (found,) = resolve.resolve(pyproject, lock, ["main"], [], TARGET)
        assert found["file"] == f"{name}-py3-none-any.whl"


@given(st.permutations(range(6)), st.permutations(range(4)))
def test_the_order_of_the_lock_does_not_matter(
    order: list[int], roots: list[int]
) -> None:
    packages = [
        package("a", "1.0"),
        package("a", "2.0", {"d": "*"}),
        package("b", "1.0", {"a": "*", "c": "*"}),
        package("c", "1.0", {"a": "<2"}),
        package("c", "1.1", {"a": ">=2", "b": "*"}),
        package("d", "1.0"),
    ]
    wishes = [("a", "*"), ("b", "*"), ("c", "*"), ("a", ">=1")]
    project = needs(**dict(wishes[place] for place in roots))
    found = choose(project, [packages[place] for place in order])
    assert found == {"a": "2.0", "b": "1.0", "c": "1.1", "d": "1.0"}


OPTIONS = ["--python", TARGET.python, "--glibc", TARGET.glibc]
DIGEST = "0" * 64
LOCK = """
[[package]]
name = "a"
version = "1.0"
python-versions = "*"
files = [{file = "a-1.0-py3-none-any.whl", hash = "sha256:{digest}"}]
[metadata]
lock-version = "2.0"
""".replace(
    "{digest}", DIGEST
)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "pyproject.toml", tmp_path / "poetry.lock"]
    files[0].write_text('[tool.poetry.dependencies]\npython = "*"\na = "*"\n')
    files[1].write_text(LOCK)
    words = [*map(str, files), "--groups", "main,dev", "--extras", "*", *OPTIONS]
    assert resolve.main(words) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "a",
            "version": "1.0",
            "kind": "wheel",
            "file": "a-1.0-py3-none-any.whl",
            "sha256": DIGEST,
        }
    ]


def test_the_command_says_nothing_of_folders(
    tmp_path: Path,
) -> None:
    corpus = Path(__file__).parent / "corpus/path-dependencies"
    for name in ("pyproject.toml", "poetry.lock"):
        (tmp_path / name).write_bytes((corpus / name).read_bytes())
    words = [str(tmp_path / name) for name in ("pyproject.toml", "poetry.lock")]
    done = subprocess.run(
        [sys.executable, resolve.__file__, *words, *OPTIONS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "folder" in {each["kind"] for each in json.loads(done.stdout)}


@pytest.mark.parametrize("content", ["<<<<<<< HEAD", None, "\xff"])
def test_the_commands_errors_are_one_line(
    content: Optional[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "pyproject.toml", tmp_path / "poetry.lock"]
    files[0].write_text('[tool.poetry.dependencies]\npython = "*"\n')
    if content is not None:
        files[1].write_text(content, encoding="latin-1")
    assert resolve.main([*map(str, files), *OPTIONS]) == 1
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 1
    assert told.err.startswith("error: poetry.lock")
