"""Packages and files out of pyproject.toml and poetry.lock."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest
import resolve
import tomli
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import sys_tags
from resolve import ResolutionError

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
REPOSITORY = Path(__file__).parents[2]


def wheel_of(name: str, version: str, tag: str = "py3-none-any") -> dict[str, str]:
    file = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    return {"file": file, "hash": f"sha256:{hashlib.sha256(file.encode()).hexdigest()}"}


def package(
    name: str,
    version: str = "1.0",
    dependencies: Optional[Mapping[str, Any]] = None,
    files: Optional[Sequence[Mapping[str, str]]] = None,
    **more: Any,
) -> dict[str, Any]:
    """A package of a lock."""
    return {
        "name": name,
        "version": version,
        "optional": False,
        "python-versions": "*",
        "dependencies": dict(dependencies or {}),
        "files": [wheel_of(name, version)] if files is None else list(files),
        **{key.replace("_", "-"): value for key, value in more.items()},
    }


def choose(
    project: Mapping[str, Any],
    packages: Sequence[Mapping[str, Any]],
    groups: Sequence[str] = ("main",),
    extras: Sequence[str] = ("*",),
    version: str = "2.0",
) -> dict[str, str]:
    """The versions that are chosen, by name."""
    lock = {"package": list(packages), "metadata": {"lock-version": version}}
    pyproject = {"tool": {"poetry": project}}
    return {
        each["name"]: each["version"]
        for each in resolve.resolve(pyproject, lock, groups, extras)
    }


def needs(**dependencies: Any) -> dict[str, Any]:
    return {"dependencies": {"python": "*", **dependencies}}


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
    lock = {"package": [one], "metadata": metadata}
    pyproject = {"tool": {"poetry": needs(my_thing="*")}}
    (chosen,) = resolve.resolve(pyproject, lock, ["main"], ["*"])
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
        old = {**self.OLD, "python-versions": f"<{HERE}"}
        new = {**self.NEW, "python-versions": f">={HERE}"}
        assert choose(needs(a="*"), [old, new]) == {"a": "2.0"}
        assert choose(needs(a="*"), [new, old]) == {"a": "2.0"}

    def test_by_multiple_constraints(self) -> None:
        project = needs(
            a=[
                {"version": "^1.0", "python": f"<{HERE}"},
                {"version": "^2.0", "python": f">={HERE}"},
            ]
        )
        assert choose(project, [self.OLD, self.NEW]) == {"a": "2.0"}

    @pytest.mark.parametrize("markers", ["sys_platform == '{}'", {"main": "{}"}])
    def test_by_the_markers_of_format_2_1(self, markers: Any) -> None:
        def of(platform: str) -> Any:
            if isinstance(markers, dict):
                return {"main": f"sys_platform == '{platform}' and extra == 'x'"}
            return markers.format(platform)

        old = {**self.OLD, "markers": of(sys.platform)}
        new = {**self.NEW, "markers": of("win32")}
        assert choose(needs(a="*"), [new, old], version="2.1") == {"a": "1.0"}

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
        "c": {"version": "*", "markers": f"python_version >= '{HERE}'"},
        "d": [
            {"version": "<1", "markers": f"python_version < '{HERE}'"},
            {"version": ">=1", "markers": f"python_version >= '{HERE}'"},
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


@pytest.mark.parametrize(
    "specification, kind",
    [
        ({"git": "https://host/a.git"}, "git"),
        ({"url": "https://host/a-1.0-py3-none-any.whl"}, "url"),
        ({"path": "../nowhere"}, "directory"),
    ],
)
def test_packages_of_no_index(specification: Any, kind: str) -> None:
    locked = package("a", source={"type": kind, "url": "https://host/a"})
    with pytest.raises(ResolutionError) as caught:
        choose(needs(a=specification), [locked])
    assert str(caught.value).startswith("a") and "\n" not in str(caught.value)


def test_packages_of_a_private_index() -> None:
    source = {"type": "legacy", "url": "https://host/simple", "reference": "own"}
    assert choose(needs(a="*"), [package("a", source=source)]) == {"a": "1.0"}


@pytest.mark.parametrize(
    "files, pattern",
    [
        ([], "^a 1.0 has no wheel .*the lock lists no files"),
        ([{"file": "a-1.0.tar.gz", "hash": "sha256:0"}], "locked as source only"),
        ([wheel_of("a", "1.0", "cp27-none-any")], "none of its 1 files"),
        ([{"file": "a-1.whl", "hash": "sha256:0"}], "^a 1.0 has no wheel"),
        (
            [{"file": "a-1.0-py3-none-any.whl", "hash": "md5:0"}],
            "^a-1.0-py3-none-any.whl is locked by md5",
        ),
    ],
)
def test_packages_without_a_wheel(files: Any, pattern: str) -> None:
    with pytest.raises(ResolutionError, match=pattern):
        choose(needs(a="*"), [package("a", files=files)])


def test_the_best_wheel() -> None:
    tags = list(map(str, sys_tags()))
    ranks = {tag: place for place, tag in enumerate(sys_tags())}
    files = [wheel_of("a", "1.0", tag) for tag in (tags[-1], tags[0], tags[5])]
    files += [{"file": f"a-1.0-{n}-{tags[0]}.whl", "hash": ""} for n in (2, 10)]
    best = resolve.choose_file(package("a"), files, ranks)
    assert best["file"] == f"a-1.0-10-{tags[0]}.whl"
    turned = resolve.choose_file(package("a"), files[::-1], ranks)
    assert turned == best


@given(st.lists(st.sampled_from(list(sys_tags())), min_size=1, max_size=8))
def test_the_order_of_files_does_not_matter(tags: list[Any]) -> None:
    ranks = {tag: place for place, tag in enumerate(sys_tags())}
    files = [wheel_of("a", "1.0", str(tag)) for tag in tags]
    best = resolve.choose_file(package("a"), files, ranks)
    assert best == resolve.choose_file(package("a"), files[::-1], ranks)
    assert best in files and str(min(tags, key=ranks.__getitem__)) in best["file"]


@pytest.mark.parametrize(
    "requirement, fits", [("*", True), (f"{HERE}.*", True), ("<3", False)]
)
def test_the_python_that_the_project_wants(requirement: str, fits: bool) -> None:
    project = {"dependencies": {"python": requirement}}
    if fits:
        assert choose(project, []) == {}
    else:
        with pytest.raises(ResolutionError, match=f"wants Python <3, .*{HERE}"):
            choose(project, [])


def test_projects_that_cannot_be_read() -> None:
    for pyproject, pattern in (
        ({}, "has no table tool.poetry"),
        (
            {"project": {"dependencies": []}, "tool": {"poetry": {}}},
            r"dependencies in \[project\]",
        ),
    ):
        with pytest.raises(ResolutionError, match=pattern):
            resolve.resolve(pyproject, {}, ["main"], [])


@pytest.mark.parametrize("wrong", ["~~1", {"version": "odd odd"}, 1])
def test_malformed_dependencies_are_named(wrong: Any) -> None:
    with pytest.raises(ResolutionError, match="^a = "):
        choose(needs(a=wrong), [])


@pytest.mark.parametrize(
    "folder", ["app-example", "nix/platform", "nix/poetry", "nix/checks"]
)
def test_the_repositorys_own_locks_are_up_to_date(folder: str) -> None:
    project, content = (
        tomli.loads((REPOSITORY / folder / name).read_text())
        for name in ("pyproject.toml", "poetry.lock")
    )
    lock = resolve.Lock(content, resolve.marker_environment())
    resolve.check_content_hash(project["tool"]["poetry"], lock)
    lock.metadata["content-hash"] = "0"
    with pytest.raises(ResolutionError, match="older than pyproject.toml"):
        resolve.check_content_hash(project["tool"]["poetry"], lock)


def test_the_kernel_does_not_matter() -> None:
    environment = resolve.marker_environment()
    assert environment["platform_release"] == environment["platform_version"] == ""
    assert environment["python_version"] == HERE


LOCK = """
[[package]]
name = "a"
version = "1.0"
python-versions = "*"
files = [{file = "a-1.0-py3-none-any.whl", hash = "sha256:00"}]
[metadata]
lock-version = "2.0"
"""


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "pyproject.toml", tmp_path / "poetry.lock"]
    files[0].write_text('[tool.poetry.dependencies]\npython = "*"\na = "*"\n')
    files[1].write_text(LOCK)
    words = [*map(str, files), "--groups", "main,dev", "--extras", "*"]
    assert resolve.main(words) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "name": "a",
            "version": "1.0",
            "file": "a-1.0-py3-none-any.whl",
            "sha256": "00",
        }
    ]


@pytest.mark.parametrize("content", ["<<<<<<< HEAD", None, "\xff"])
def test_the_commands_errors_are_one_line(
    content: Optional[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "pyproject.toml", tmp_path / "poetry.lock"]
    files[0].write_text('[tool.poetry.dependencies]\npython = "*"\n')
    if content is not None:
        files[1].write_text(content, encoding="latin-1")
    assert resolve.main([*map(str, files)]) == 1
    told = capsys.readouterr()
    assert told.out == "" and len(told.err.splitlines()) == 1
    assert told.err.startswith("error: poetry.lock")
