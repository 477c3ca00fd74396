"""Groups, extras, Python and content-hash of projects."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from locked_project import Project, read_dependency
from locks import FEATURE_VERSION
from poetry.core.constraints.version import Version
from resolution_error import ResolutionError

REPOSITORY = Path(__file__).parents[2]
PYTHON = Version.parse("3.9.2")


def project(text: str) -> Project:
    return Project(tomli.loads(text))


@pytest.mark.parametrize(
    "requirement, fits", [("*", True), (f"{FEATURE_VERSION}.*", True), ("<3", False)]
)
@pytest.mark.parametrize("key", ["python", "requires-python"])
def test_the_python_that_the_project_wants(
    key: str, requirement: str, fits: bool
) -> None:
    python = Version.parse(f"{FEATURE_VERSION}.0")
    own = Project({"tool": {"poetry": {"dependencies": {"python": requirement}}}})
    if key == "requires-python":
        own = Project({"project": {key: requirement.replace("*", "0")}})
        if requirement == "*":
            own = Project({"project": {}, "tool": {"poetry": {}}})
        if requirement.endswith(".*"):
            own = Project({"project": {key: f"=={requirement}"}})
    if fits:
        own.check_python(python)
    else:
        with pytest.raises(
            ResolutionError, match=f"wants Python <3, .*{key} = .*{FEATURE_VERSION}"
        ):
            own.check_python(python)


def test_a_python_that_is_no_constraint() -> None:
    own = project('[project]\nrequires-python = "odd odd"\n')
    with pytest.raises(ResolutionError, match="^pyproject.toml: requires-python: "):
        own.check_python(PYTHON)


def test_what_is_no_project() -> None:
    with pytest.raises(
        ResolutionError, match="neither a table tool.poetry nor project"
    ):
        Project({"build-system": {}})


def test_groups_in_all_spellings() -> None:
    own = project(
        """
        [tool.poetry.dependencies]
        a = "*"
        [tool.poetry.dev-dependencies]
        b = "*"
        [tool.poetry.group.dev.dependencies]
        c = "*"
        [tool.poetry.group.My_Docs]
        optional = true
        [dependency-groups]
        "Lint.One" = ["d"]
        """
    )
    assert {name: sorted(table) for name, table in own.groups().items()} == {
        **{"main": ["a"], "dev": ["b", "c"], "my-docs": [], "lint-one": []},
    }
    assert own.chosen_groups(["MAIN", "my.docs"]) == ["main", "my-docs"]
    with pytest.raises(ResolutionError) as caught:
        own.chosen_groups(["tests"])
    told = "has no group 'tests' (it has: dev, lint-one, main, my-docs)"
    assert str(caught.value) == f"pyproject.toml {told}"


def test_extras_in_both_spellings() -> None:
    own = project(
        """
        [tool.poetry.extras]
        A_b = ["x"]
        [project.optional-dependencies]
        c = ["y"]
        """
    )
    assert own.chosen_extras(["*"]) == ["a-b", "c"]
    assert own.chosen_extras(["a.B"]) == ["a-b"]
    assert own.chosen_extras([]) == []
    with pytest.raises(ResolutionError, match="no extra 'odd' .it has: a-b, c.$"):
        own.chosen_extras(["odd"])


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.sampled_from("abcd"))))
def test_included_groups_end(includes: dict[str, list[str]]) -> None:
    groups = {name: {"include-groups": others} for name, others in includes.items()}
    own = Project({"tool": {"poetry": {"group": groups}}})
    found = own.with_included(["a"])
    assert found[0] == "a" and len(found) == len(set(found))
    for name in found:
        assert set(includes.get(name, [])) <= set(found)


# Tables, and the text whose SHA-256 Poetry writes down. The spelling of each text is
# that of Poetry's class Locker in the versions named.
LEGACY = '"dependencies": {"a": "1"}, "dev-dependencies": null, "extras": null'
HASHED = [
    # 1.1, 1.8 and 2.5 alike
    (
        '[tool.poetry.dependencies]\na = "1"',
        [f'{{{LEGACY}, "source": null}}'],
    ),
    # 1.1 knows no groups; 1.2 and newer
    (
        '[tool.poetry.dependencies]\na = "1"\n'
        '[tool.poetry.group.b.dependencies]\nc = "2"',
        [
            f'{{{LEGACY}, "source": null}}',
            f'{{{LEGACY}, "group": {{"b": {{"dependencies": {{"c": "2"}}}}}},'
            ' "source": null}',
        ],
    ),
    # 2.0 and newer
    (
        '[project]\nname = "n"\nrequires-python = ">=3.9"\ndependencies = ["a"]\n'
        "[tool.poetry]\npackage-mode = false\nextras = {}\n",
        [
            '{"project": {"dependencies": ["a"], "requires-python": ">=3.9"},'
            ' "tool": {"poetry": {"extras": {}}}}'
        ],
    ),
    # 2.2 without, 2.3 and newer with [dependency-groups]
    (
        '[project]\nname = "n"\ndependencies = ["a"]\n[dependency-groups]\nb = ["c"]\n',
        [
            '{"project": {"dependencies": ["a"]}, "tool": {"poetry": {}}}',
            '{"dependency-groups": {"b": ["c"]}, "project": {"dependencies": ["a"]},'
            ' "tool": {"poetry": {}}}',
        ],
    ),
    (
        '[tool.poetry]\n[dependency-groups]\nb = ["é"]\n',
        [
            '{"dependencies": null, "dev-dependencies": null, "extras": null,'
            ' "source": null}',
            '{"dependency-groups": {"b": ["\\u00e9"]}, "tool": {"poetry": {}}}',
        ],
    ),
]


@pytest.mark.parametrize("toml, texts", HASHED)
def test_the_content_hash(toml: str, texts: list[str]) -> None:
    own = project(toml)
    for text in texts:
        assert json.dumps(json.loads(text), sort_keys=True) == text
        told = hashlib.sha256(text.encode()).hexdigest()
        own.check_content_hash({"content-hash": told})
    own.check_content_hash({})
    with pytest.raises(ResolutionError, match="older than pyproject.toml"):
        own.check_content_hash({"content-hash": "0" * 64})


def test_an_edit_makes_a_lock_old() -> None:
    before = '[project]\ndependencies = ["a"]\n[dependency-groups]\nb = ["c"]\n'
    newest = max(project(before).content_hashes())
    for old, new in (('["a"]', '["a", "b"]'), ('["c"]', '["d"]')):
        changed = project(before.replace(old, new))
        assert project(before).content_hashes() != changed.content_hashes()
        if old == '["a"]':
            with pytest.raises(ResolutionError):
                changed.check_content_hash({"content-hash": newest})


@pytest.mark.parametrize(
    "folder",
    [
        *("app-example", "nix/checks", "nix/sbom", "nix/template"),
        *("nix/platform", "nix/platform/current", "nix/poetry", "nix/poetry/current"),
        *("tests/image/compiled_wheels", "tests/image/compiled_wheels_current"),
    ],
)
def test_the_repositorys_own_locks_are_up_to_date(folder: str) -> None:
    own, lock = (
        tomli.loads((REPOSITORY / folder / name).read_text())
        for name in ("pyproject.toml", "poetry.lock")
    )
    Project(own).check_content_hash(lock["metadata"])
    with pytest.raises(ResolutionError, match="older than pyproject.toml"):
        Project(own).check_content_hash({"content-hash": "0"})


@given(
    st.one_of(
        st.text(max_size=20),
        st.dictionaries(
            st.sampled_from(["version", "markers", "python", "extras", "optional"]),
            st.text(alphabet="<>=!~^*.0123456789abx '\"|,", max_size=12),
            max_size=3,
        ),
        st.integers(),
        st.none(),
    )
)
def test_any_specification_is_read_or_named(specification: Any) -> None:
    try:
        assert read_dependency("thing", specification).name == "thing"
    except ResolutionError as error:
        assert str(error).startswith("thing = ") and "\n" not in str(error)
