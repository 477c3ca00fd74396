"""Test suites that something reads, and those that nothing does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unread_suites import components, paths_in, unread_suites

# A package with a suite below its top, and one on it.
PLAIN = {
    "thing/__init__.py": "",
    "thing/core/__init__.py": "",
    "thing/core/tests/__init__.py": "",
    "thing/core/tests/test_core.py": "from thing.core import part",
    "thing/core/tests/data/input.json": "{}",
    "thing/tests/__init__.py": "",
    "thing/tests/conftest.py": "from .test_all import *",
    "thing/tests/test_all.py": "import thing.core.tests.test_core",
}
BOTH = {"thing/core/tests", "thing/tests"}


def unread(
    folder: Path, files: Mapping[str, str], *judged: str, names: str = "test tests"
) -> set[str]:
    """The unread suites of a wheel with these files below site-packages."""
    site_packages = folder / "lib/python3.9/site-packages"
    for name, content in files.items():
        file = site_packages / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    found = unread_suites(folder, site_packages, names.split(), judged)
    return {str(suite.relative_to(site_packages)) for suite in found}


MUTUAL = {**PLAIN, "thing/core/tests/test_core.py": "from thing.tests import test_all"}


def test_suites_that_name_each_other_alone(tmp_path: Path) -> None:
    assert unread(tmp_path, MUTUAL) == BOTH


def test_names_of_suites(tmp_path: Path) -> None:
    files = {**PLAIN, "thing/test/a_test.py": "", "thing/testing/test_a.py": ""}
    assert unread(tmp_path, files, names="test") == {"thing/test"}
    assert unread(tmp_path, files, names="") == set()


@pytest.mark.parametrize(
    "files",
    [
        {"tests/__init__.py": "", "tests/test_a.py": ""},
        {"thing/tests/test_a.py": ""},
        {"thing/__init__.py": "", "thing/tests/a.py": ""},
        {"thing/__init__.py": "", "thing/tests/test_a.txt": ""},
        {"thing/__init__.py": "", "thing/tests.py": "", "thing/test_a.py": ""},
        {"thing/__init__.py": "", "thing/Tests/test_a.py": ""},
    ],
    ids=["top", "no package", "no tests", "no modules", "a module", "another name"],
)
def test_what_is_no_suite(files: dict[str, str], tmp_path: Path) -> None:
    assert unread(tmp_path, files) == set()


@pytest.mark.parametrize(
    "name, content",
    [
        ("thing/__init__.py", "import thing.core.tests"),
        ("thing/__init__.py", "import thing.core.tests.test_core as t"),
        ("thing/__init__.py", "from thing.core import tests"),
        ("thing/__init__.py", "from thing.core.tests.test_core import Case"),
        ("thing/__init__.py", "from .core import tests"),
        ("thing/__init__.py", "from .core.tests import test_core"),
        ("thing/core/__init__.py", "from . import tests"),
        ("thing/core/__init__.py", "def f():\n    from .tests import test_core"),
        ("thing/core/part.py", "from .tests.test_core import *"),
        ("thing/core/deep/__init__.py", "from ..tests import *"),
        ("thing/other/part.py", "from ..core.tests import *"),
        ("other/__init__.py", "import thing.core.tests"),
        ("thing/core/path.py", "import core.tests"),
        ("other/__init__.py", "import_module('thing.core.tests')"),
        ("thing/core/part.py", "import_module('.tests.test_core', __package__)"),
        ("thing/core/part.py", "__import__(f'{__package__}.tests')"),
        ("thing/core/part.py", "get_data(__package__, 'tests/data/input.json')"),
        ("thing/core/part.py", "open(HERE + '/tests/data/input.json')"),
        ("thing/core/part.py", r"open(HERE + '\\tests\\data\\input.json')"),
        ("thing/core/part.py", "open(b'tests/data/input.json')"),
        ("thing/core/part.py", "join(HERE, 'tests', 'data')"),
        ("thing/core/part.py", "open('%s/tests/%s' % (HERE, name))"),
        ("thing/core/deep/part.py", "HERE.parent.parent / 'tests'"),
        ("thing/core/__init__.py", "__all__ = ['part', 'tests']"),
        ("thing/core/__init__.pyi", "from . import tests as tests"),
        ("thing/part.py", "join(HERE, 'core', 'tests')"),
        ("thing/part.py", "from .core import HERE\njoin(HERE, 'tests')"),
        ("thing/part.py", "glob(HERE + '/*/core/tests/*.json')"),
        ("thing/core/part.py", "f'{HERE}/tests/{name}.json'"),
        ("thing/core/part.py", "'{}/tests'.format(HERE)"),
        ("thing/core/part.py", "f'{HERE} has no tests/data'"),
        ("thing/part.py", "run('python -m thing.core.tests --fast')"),
        ("other.py", "PATH = '/usr/lib/python3/site-packages/thing/core/tests'"),
        ("thing/core/broken.py", "def: tests"),
        ("thing/core/null.py", "tests \0"),
        ("thing/core/native.so", "\x7fELF\0thing.core.tests\0"),
        ("thing/settings.toml", "data = 'thing/core/tests/data'"),
        ("thing-1.0.dist-info/entry_points.txt", "[a]\nb = thing.core.tests.c:d\n"),
        ("thing/__init__.py", "pytest.main(['--pyargs', 'thing.core.tests'])"),
    ],
)
def test_what_reads_a_suite(name: str, content: str, tmp_path: Path) -> None:
    assert "thing/core/tests" not in unread(tmp_path, {**PLAIN, name: content})


def test_a_script_reads_a_suite(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin/check-thing"
    script.write_text("#!/environment/bin/python\nfrom thing.core import tests\n")
    assert unread(tmp_path, PLAIN) == {"thing/tests"}


def test_data_beside_the_modules_reads_a_suite(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share/thing.cfg").write_text("run = thing.core.tests\n")
    assert unread(tmp_path, PLAIN) == {"thing/tests"}


@pytest.mark.parametrize(
    "name, content",
    [
        ("thing/core/part.py", '"""See thing/core/tests."""'),
        ("thing/core/part.py", "# from . import tests"),
        ("thing/core/part.py", "raise ValueError('the tests say no')"),
        ("thing/core/part.py", "latests = 'latests/data'; contests = 1"),
        ("thing/core/part.py", "open('other/tests/data')"),
        ("thing/core/part.py", "from other.tests import a"),
        ("thing/core/part.py", "from .other import tests"),
        ("other/part.py", "join(HERE, 'tests')"),
        ("thing/core/part.txt", "tests"),
        ("thing/core/broken.py", "def: nothing of the kind"),
        ("thing-1.0.dist-info/METADATA", "python -m thing.core.tests, thing/tests"),
        ("thing-1.0.dist-info/RECORD", "thing/core/tests/test_core.py,,"),
    ],
)
def test_what_does_not(name: str, content: str, tmp_path: Path) -> None:
    assert "thing/core/tests" in unread(tmp_path, {**PLAIN, name: content})


def test_a_suite_that_is_read_reads_others(tmp_path: Path) -> None:
    files = {**MUTUAL, "thing/core/__init__.py": "from .tests import test_core"}
    assert unread(tmp_path, files) == set()


def test_a_suite_in_a_suite(tmp_path: Path) -> None:
    files = {
        **PLAIN,
        "thing/core/tests/tests/__init__.py": "",
        "thing/core/tests/tests/test_deep.py": "",
    }
    assert unread(tmp_path, files) == BOTH
    files["thing/core/part.py"] = "from .tests import test_core"
    assert unread(tmp_path, files) == {"thing/core/tests/tests", "thing/tests"}


@pytest.mark.parametrize(
    "name, content",
    [
        ("thing/core/tests/helpers.py", ""),
        ("thing/core/tests/deep/helpers.py", ""),
        ("thing/core/tests/__init__.py", "X = 1\nclass Case:\n    pass"),
        ("thing/core/tests/__init__.py", "async def f():\n    pass"),
    ],
)
def test_what_others_could_import_stays(
    name: str, content: str, tmp_path: Path
) -> None:
    assert unread(tmp_path, {**PLAIN, name: content}) == {"thing/tests"}


@pytest.mark.parametrize(
    "name, content",
    [
        ("thing/core/tests/_helpers.py", "class A: pass"),
        ("thing/core/tests/_private/helpers.py", "class A: pass"),
        ("thing/core/tests/a-project/setup.py", ""),
        ("thing/core/tests/__main__.py", "main()"),
        ("thing/core/tests/conftest.py", "def f(): pass"),
        ("thing/core/tests/__init__.py", "if True:\n    def f(): pass\n"),
    ],
)
def test_what_others_could_not(name: str, content: str, tmp_path: Path) -> None:
    assert unread(tmp_path, {**PLAIN, name: content}) == BOTH


def test_helpers_of_a_private_package(tmp_path: Path) -> None:
    files = {
        "thing/__init__.py": "",
        "thing/_vendor/__init__.py": "",
        "thing/_vendor/tests/test_a.py": "",
        "thing/_vendor/tests/helpers.py": "",
    }
    assert unread(tmp_path, files) == {"thing/_vendor/tests"}


JUDGED = {
    **PLAIN,
    "thing/core/tests/helpers.py": "",
    "thing/core/discovery.py": "EXCLUDED = ['docs', 'tests']",
    "thing/core/test_more.py": "from .tests import helpers",
}


def test_a_suite_that_somebody_judged(tmp_path: Path) -> None:
    assert unread(tmp_path, JUDGED) == set()
    assert unread(tmp_path, JUDGED, "thing/core/tests") == {"thing/core/tests"}


@pytest.mark.parametrize(
    "content",
    ["from .core.tests import helpers", "import thing.core.tests", "tests = broken:"],
)
def test_what_is_imported_stays_however_judged(content: str, tmp_path: Path) -> None:
    files = {**JUDGED, "thing/part.py": content}
    assert unread(tmp_path, files, "thing/core/tests") == set()


def test_a_judged_suite_that_is_not_there(tmp_path: Path) -> None:
    assert unread(tmp_path, PLAIN, "other/tests") == BOTH


def test_no_suites_and_no_site_packages(tmp_path: Path) -> None:
    assert unread(tmp_path, {}) == set()


@given(st.text())
def test_any_text_has_names(text: str) -> None:
    assert all(components(text))
    for path in paths_in(text):
        assert all(part in text for part in path)


@given(st.lists(st.from_regex(r"[a-z_]+", fullmatch=True), min_size=2))
def test_every_way_to_write_a_path(names: list[str]) -> None:
    for separator in ("/", ".", "\\", "//"):
        text = separator.join(names)
        assert components(text) == tuple(names)
        assert tuple(names) in paths_in(f"see '{text}', or not")
