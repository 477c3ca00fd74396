"""Whether an application's module exists, and what is said where it does not."""

from __future__ import annotations

import importlib
import importlib.machinery
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from .conftest import APPLICATION_SERVER, load_module
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Why = Callable[[str], "str | None"]


@pytest.fixture(scope="module")
def finder() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("application_finder")
    return module


@pytest.fixture
def why(
    finder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Why]:
    """A function that looks for a module with an empty folder first on ``sys.path``.

    Nothing may be imported by it.
    """
    monkeypatch.syspath_prepend(tmp_path)

    def look(module: str) -> str | None:
        before = set(sys.modules)
        found: str | None = finder.why_no_application(module, [str(tmp_path)])
        assert set(sys.modules) == before
        return found

    yield look


def write(folder: Path, *names: str, text: str = "raise Exception('ran')\n") -> None:
    """Write files into a folder, with text that must not be run."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("files", "module"),
    [
        (["zz_app/__init__.py", "zz_app/main.py"], "zz_app.main"),
        (["zz_app/main.py"], "zz_app.main"),
        (["zz_app/a/b/c/main.py"], "zz_app.a.b.c.main"),
        (["zz_app/a/__init__.py", "zz_app/a/b/main.py"], "zz_app.a.b.main"),
        (["zz_app/main/__init__.py"], "zz_app.main"),
        (["zz_app.py"], "zz_app"),
        (["zz_app/__init__.py"], "zz_app"),
    ],
)
def test_modules_that_exist(
    why: Why, tmp_path: Path, files: list[str], module: str
) -> None:
    write(tmp_path, *files)
    assert why(module) is None


@pytest.mark.parametrize("module", ["json", "json.tool", "sys", "os.path", "xml.dom"])
def test_modules_elsewhere_on_the_path(why: Why, module: str) -> None:
    assert why(module) is None


@pytest.mark.parametrize(
    ("files", "module", "reason"),
    [
        (
            [],
            "zz_app.main",
            "there is no module zz_app.main (zz_app/main.py) in {0}: "
            "mount or copy the folder zz_app to {0}/zz_app",
        ),
        (
            [],
            "zz_app",
            "there is no module zz_app (zz_app.py) in {0}: "
            "mount or copy zz_app.py to {0}/zz_app.py",
        ),
        (
            ["zz_app/__init__.py"],
            "zz_app.main",
            "there is no module zz_app.main: the package zz_app ({0}/zz_app) "
            "has no main.py: mount or copy it there",
        ),
        (
            ["zz_app/readme.txt"],
            "zz_app.main",
            "there is no module zz_app.main: the folder zz_app ({0}/zz_app) "
            "has no main.py: mount or copy it there",
        ),
        (
            ["zz_app/__init__.py"],
            "zz_app.inner.main",
            "there is no module zz_app.inner.main: the package zz_app ({0}/zz_app) "
            "has no inner/: mount or copy it there",
        ),
        (
            ["zz_app.py"],
            "zz_app.main",
            "there is no module zz_app.main: zz_app is a module ({0}/zz_app.py), "
            "no package: name it without .main",
        ),
        (
            ["zz_app/__init__.py", "zz_app/main/readme.txt"],
            "zz_app.main",
            "there is no module zz_app.main: {0}/zz_app/main is a folder without "
            "modules of its own: add main.py beside it",
        ),
        (
            ["zz_app.py"],
            "zz_app.py",
            "there is no module zz_app.py: zz_app is a module ({0}/zz_app.py), "
            "no package: name it without .py",
        ),
    ],
)
def test_modules_that_are_missing(
    why: Why, tmp_path: Path, files: list[str], module: str, reason: str
) -> None:
    write(tmp_path, *files)
    assert why(module) == reason.format(tmp_path)


def test_namespace_package_in_several_folders(
    why: Why, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "one/zz_app/other.py", "two/zz_app/main.py")
    for name in ("one", "two"):
        monkeypatch.syspath_prepend(tmp_path / name)
    assert why("zz_app.main") is None
    reason = why("zz_app.more")
    assert reason is not None
    assert f"{tmp_path}/two/zz_app, {tmp_path}/one/zz_app" in reason


def test_modules_in_archives(
    why: Why, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("zz_app/__init__.py", "zz_app/deep/__init__.py"):
            file.writestr(name, "")
        file.writestr("zz_app/deep/main.py", "")
    monkeypatch.syspath_prepend(archive)
    assert why("zz_app.deep.main") is None
    reason = why("zz_app.deep.other")
    assert reason is not None and f"{archive}/zz_app/deep" in reason


def test_file_that_has_just_been_written(why: Why, tmp_path: Path) -> None:
    (tmp_path / "zz_app").mkdir()
    for number in range(20):
        assert why(f"zz_app.m{number}") is not None
        write(tmp_path, f"zz_app/m{number}.py")
        assert why(f"zz_app.m{number}") is None


@pytest.mark.parametrize(
    "text",
    [
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
        "import sys\nsys.modules[__name__ + '.main'] = sys\n",
    ],
)
def test_package_that_looks_for_its_modules_itself(
    why: Why, tmp_path: Path, text: str
) -> None:
    write(tmp_path, "zz_app/__init__.py", text=text)
    assert why("zz_app.main") is None


def test_package_that_is_imported_already(
    finder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "elsewhere/main.py")
    package = ModuleType("zz_app")
    package.__path__ = [str(tmp_path / "elsewhere")]
    monkeypatch.setitem(sys.modules, "zz_app", package)
    assert finder.why_missing("zz_app.main", [str(tmp_path)]) is None
    assert finder.why_missing("zz_app.other", [str(tmp_path)]) is not None


def test_finders_of_editable_installations_are_asked(
    why: Why, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "source/main.py")

    class Finder:
        @staticmethod
        def find_spec(
            name: str, path: object = None, target: object = None
        ) -> importlib.machinery.ModuleSpec | None:
            if name != "zz_app":
                return None
            found = importlib.machinery.ModuleSpec(name, None, is_package=True)
            found.submodule_search_locations = [str(tmp_path / "source")]
            return found

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert why("zz_app.main") is None


def test_finder_that_fails_decides_nothing(
    why: Why, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            raise OSError("broken")

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    assert why("zz_app.main") is None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, below none that not every user may."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for path in (folder, folder / "zz_app"):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("closed", "named"),
    [
        ("zz_app/main.py", "zz_app/main.py"),
        ("zz_app/__init__.py", "zz_app/__init__.py"),
        ("zz_app", "zz_app"),
        (".", "."),
    ],
)
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_what_may_not_be_read_is_named(
    open_folder: Path, closed: str, named: str, mode: int
) -> None:
    write(open_folder, "zz_app/__init__.py", "zz_app/main.py")
    path = open_folder / closed
    if mode == 0o444 and path.is_file():
        mode = 0o200
    path.chmod(mode)
    program = f"""if True:
        import os, sys
        sys.path.append({str(APPLICATION_SERVER)!r})
        import application_finder
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        sys.path.insert(0, {str(open_folder)!r})
        folders = [{str(open_folder)!r}]
        print(os.geteuid(), os.getegid())
        print(application_finder.why_missing("zz_app.main", folders))
    """
    command = [sys.executable, "-B", "-c", program]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ids, reason = output.splitlines()
    user, group = ids.split()
    expected = os.path.normpath(open_folder / named)
    assert reason == (
        f"{expected} may not be read by the server (user {user}, group {group}): "
        f"make it readable, as chmod -R a+rX {expected} does"
    )


@given(st.text(min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_there_or_not(why: Why, name: str) -> None:
    reason = why(name)
    assert reason is None or reason.startswith("there is no module ")
