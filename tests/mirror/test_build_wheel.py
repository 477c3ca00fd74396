"""Wheels that are built from source."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path

import build_wheel
import pytest
from build_wheel import BuildError, Requirements, is_above, unpack
from hypothesis import given
from hypothesis import strategies as st
from install_wheel import install_wheel
from mirror_site import sha256
from packaging.specifiers import SpecifierSet
from packaging.version import Version

# A build backend in the source tree itself (PEP 517, "In-tree build backends").
BACKEND = """
import json, os, zipfile
def get_requires_for_build_wheel(config_settings=None):
    return json.loads(os.environ.get("MORE", "[]"))
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        member = zipfile.ZipInfo("environment.json")
        archive.writestr(member, json.dumps(dict(os.environ), sort_keys=True))
        archive.writestr(zipfile.ZipInfo("folder"), os.getcwd())
    return name
"""
SYSTEM = '[build-system]\nrequires = {}\nbuild-backend = "own"\nbackend-path = ["."]\n'
OWN = {"pyproject.toml": SYSTEM.format("[]"), "own.py": BACKEND}


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    """A source tree."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def archive(
    folder: Path, files: Mapping[str, str], suffix: str = ".tar.gz", time: int = 0
) -> Path:
    """A source archive of a project."""
    path = folder / f"thing-1.0{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, content in files.items():
                zipped.writestr(f"thing-1.0/{name}", content)
        return path
    mode = {".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}[suffix]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(f"thing-1.0/{name}")
            member.size, member.mtime, member.mode = len(content.encode()), time, 0o444
            tar.addfile(member, io.BytesIO(content.encode()))
    return path


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """Build requirements: of this environment's, as far as they are needed here."""
    folder = tmp_path / "requirements"
    for name in ("poetry-core", "setuptools"):
        (folder / name).mkdir(parents=True)
        found = distribution(name)
        for top in {Path(file).parts[0] for file in found.files or []} - {"..", "/"}:
            os.symlink(str(found.locate_file(top)), folder / name / top)
    for name, version, needed in (
        ("plain", "2.0", ["other; extra == 'x'", "unknown; python_version < '3'"]),
        ("other", "1.0", ["plain"]),
    ):
        info = folder / name / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        lines = [f"Name: {name}", f"Version: {version}"]
        lines += [f"Requires-Dist: {each}" for each in needed]
        (info / "METADATA").write_text("\n".join(lines) + "\n\nRequires-Dist: text\n")
    return folder


class Run:
    """One run of the command."""

    def __init__(self, tmp_path: Path, requirements: Path, number: int = 0) -> None:
        self.target = tmp_path / f"target{number}"
        self.work = tmp_path / f"work{number}"
        self.requirements = requirements

    def words(self, source: Path, name: str, version: str) -> list[str]:
        return [
            *(str(source), str(self.target), "--file", source.name),
            *("--name", name, "--version", version, "--work", str(self.work)),
            *("--requirements", str(self.requirements)),
        ]

    def build(self, source: Path, name: str = "thing", version: str = "1.0") -> Path:
        assert build_wheel.main(self.words(source, name, version)) == 0
        (wheel,) = self.target.iterdir()
        return wheel

    def fail(
        self,
        capsys: pytest.CaptureFixture[str],
        source: Path,
        name: str = "thing",
        version: str = "1.0",
    ) -> str:
        """The one line of an error, which is the last on standard error."""
        assert build_wheel.main(self.words(source, name, version)) == 1
        assert not self.target.exists()
        lines = capsys.readouterr().err.splitlines()
        errors = [
            line for line in lines if line.startswith(f"error: {name} {version} ")
        ]
        assert errors == lines[-1:]
        return errors[0]


@pytest.fixture
def run(tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run where there is no compiler."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return Run(tmp_path, requirements)


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz", ".zip"])
def test_archives_of_all_kinds(suffix: str, tmp_path: Path, run: Run) -> None:
    wheel = run.build(archive(tmp_path / "files", OWN, suffix))
    assert wheel.name == "thing-1.0-py3-none-any.whl"


def test_what_a_backend_sees(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the caller")
    monkeypatch.setenv("PYTHONPATH", "/of/the/caller")
    wheel = run.build(archive(tmp_path / "files", OWN))
    with zipfile.ZipFile(wheel) as zipped:
        environment = json.loads(zipped.read("environment.json"))
        folder = zipped.read("folder").decode()
    assert folder == str(run.work / "source/thing-1.0")
    assert "SECRET" not in environment and environment["PYTHONPATH"] == ""
    for name, value in (
        *(("PYTHONHASHSEED", "0"), ("SOURCE_DATE_EPOCH", "315532800")),
        *(("SETUPTOOLS_SCM_PRETEND_VERSION", "1.0"), ("PBR_VERSION", "1.0")),
        *(("PDM_BUILD_SCM_VERSION", "1.0"), ("HOME", str(run.work / "home"))),
    ):
        assert environment[name] == value


def test_a_folder_stays_as_it_is(tmp_path: Path, run: Run) -> None:
    source = tree(tmp_path / "thing", OWN)
    (source / "own.py").chmod(0o444)
    before = sorted(source.rglob("*"))
    run.build(source)
    assert sorted(source.rglob("*")) == before


SETUP = """
from setuptools import setup
setup(name="thing", version="1.0", packages=["thing", "thing.deep"],
      package_data={"thing": ["data.txt"]}, data_files=[("share/x", ["y"])],
      entry_points={"console_scripts": ["thing = thing:main"]}, scripts=["script"])
"""
LEGACY = {
    "setup.py": SETUP,
    "thing/__init__.py": "def main(): pass\n",
    "thing/deep/__init__.py": "",
    "thing/data.txt": "data",
    "script": "#!/usr/bin/env python\n",
    "y": "y",
}


def test_setuptools_without_pyproject_the_same_each_time(
    tmp_path: Path, requirements: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for number in (1, 2):
        monkeypatch.setenv("PYTHONHASHSEED", str(number))
        again = Run(tmp_path, requirements, number)
        again.work = tmp_path / "work" / ("x" * number)
        files = dict(sorted(LEGACY.items(), reverse=number == 2))
        source = archive(tmp_path / f"files{number}", files, time=1000 * number)
        wheel = again.build(source)
        digests.add(sha256(wheel.read_bytes()))
    assert len(digests) == 1
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"thing/data.txt", "thing/deep/__init__.py"} <= names
    assert {"thing-1.0.data/scripts/script", "thing-1.0.data/data/share/x/y"} <= names


def test_poetry_core(tmp_path: Path, run: Run) -> None:
    pyproject = """
[tool.poetry]
name = "Thing"
version = "1.0"
description = ""
authors = []
packages = [{ include = "thing", from = "src" }]
[build-system]
requires = ["poetry-core>=1.0.0"]
build-backend = "poetry.core.masonry.api"
"""
    files = {"pyproject.toml": pyproject, "src/thing/__init__.py": ""}
    wheel = run.build(tree(tmp_path / "thing", files))
    assert "thing/__init__.py" in zipfile.ZipFile(wheel).namelist()


def test_c_code_needs_a_compiler(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = (
        "from setuptools import setup, Extension\n"
        "setup(name='thing', version='1.0',"
        " ext_modules=[Extension('thing', ['src/thing.c'])])\n"
    )
    files = {"setup.py": setup, "src/thing.c": "", "tests/a.c": ""}
    told = run.fail(capsys, archive(tmp_path / "files", files))
    assert "needs a compiler, which this sandbox has not, for src/thing.c: lock" in told
    assert told.endswith("or install it in a Dockerfile on the platform image")


def test_a_backend_that_fails(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"setup.py": "raise SystemExit('this is Python 2 only')\n"}
    told = run.fail(capsys, archive(tmp_path / "files", files))
    assert told.endswith(
        "does not build with setuptools.build_meta:__legacy__:" " this is Python 2 only"
    )


def test_a_backend_that_is_not_there(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {**OWN, "own.py": "import nowhere\n"}
    told = run.fail(capsys, archive(tmp_path / "files", files))
    assert told.endswith("ModuleNotFoundError: No module named 'nowhere'")


@pytest.mark.parametrize(
    "requires, pattern",
    [
        ('["mesonpy"]', "is built with 'mesonpy', which is not among the locked build"),
        ('["plain>=3"]', "plain 2.0 is locked, plain>=3 is wanted: lock a version"),
        ('["plain==2.1.*"]', "plain 2.0 is locked"),
        ('["odd odd"]', "build requirement 'odd odd': "),
    ],
)
def test_requirements_that_are_not_locked(
    requires: str,
    pattern: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = {**OWN, "pyproject.toml": SYSTEM.format(requires)}
    assert pattern in run.fail(capsys, archive(tmp_path / "files", files))


def test_requirements_that_the_backend_adds(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, more in (("a", '["plain"]'), ("b", '["nowhere"]')):
        backend = BACKEND.replace('os.environ.get("MORE", "[]")', f"'{more}'")
        source = tree(tmp_path / name, {**OWN, "own.py": backend})
        run.work = tmp_path / "work" / name
        if name == "a":
            with zipfile.ZipFile(run.build(source)) as zipped:
                environment = json.loads(zipped.read("environment.json"))
            assert environment["PYTHONPATH"] == str(run.requirements / "plain")
            (run.target / "thing-1.0-py3-none-any.whl").unlink()
            run.target.rmdir()
        else:
            assert "is built with 'nowhere'" in run.fail(capsys, source)


def test_requirements_that_are_too_new_are_a_warning(
    tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {**OWN, "pyproject.toml": SYSTEM.format('["Plain>=1,<2"]')}
    run.build(archive(tmp_path / "files", files))
    assert "warning: Plain 2.0 is locked, Plain<2,>=1 is" in capsys.readouterr().err


def test_the_build_requirements_are_locked() -> None:
    folder = Path(__file__).parents[2] / "nix/mirror"
    names = re.findall(
        r'^ +"(.+)"$', (folder / "build_requirements.nix").read_text(), re.M
    )
    locked = json.loads((folder / "wheels/lock.json").read_text())
    assert len(names) > 10 and set(names) <= set(locked)
    for name in names:
        assert locked[name]["location"].endswith("-none-any.whl")


def test_closures(requirements: Path) -> None:
    locked = Requirements(requirements)
    assert locked.closure(["plain"]) == ["plain"]
    assert locked.closure(["plain", "Plain[x]"]) == ["plain", "other"]
    assert locked.closure(["other"]) == ["other", "plain"]
    assert locked.closure(["nowhere; python_version < '3'"]) == []


@pytest.mark.parametrize(
    "name, version, pattern",
    [("other", "1.0", "comes out as thing 1.0"), ("thing", "1.1", "poetry lock$")],
)
def test_what_is_not_the_locked_package(
    name: str,
    version: str,
    pattern: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = run.fail(capsys, archive(tmp_path / "files", OWN), name, version)
    assert re.search(pattern, told)


@pytest.mark.parametrize(
    "files, pattern",
    [
        ({"README": ""}, "has neither pyproject.toml nor setup.py"),
        ({"pyproject.toml": "<<<<"}, "its pyproject.toml is no TOML: "),
    ],
)
def test_trees_that_are_no_project(
    files: dict[str, str],
    pattern: str,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pattern in run.fail(capsys, archive(tmp_path / "files", files))


@pytest.mark.parametrize("name", ["thing-1.0.tar.gz", "thing-1.0.zip"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 broken"])
def test_what_is_no_archive(
    name: str,
    content: bytes,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = tmp_path / name
    source.write_bytes(content)
    assert f"{name} cannot be unpacked: " in run.fail(capsys, source)


def test_two_folders(tmp_path: Path) -> None:
    source = tmp_path / "thing.zip"
    with zipfile.ZipFile(source, "w") as zipped:
        zipped.writestr("a/x", "")
        zipped.writestr("b/x", "")
    with pytest.raises(BuildError, match="does not hold one folder, but 2"):
        unpack(source, source.name, tmp_path / "out")


def member_of(name: str, kind: bytes, link: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    "name, kind, link, refused",
    [
        ("../x", tarfile.REGTYPE, "", True),
        ("HERE/x", tarfile.REGTYPE, "", True),
        ("thing/../../x", tarfile.REGTYPE, "", True),
        ("thing/x", tarfile.SYMTYPE, "/etc/passwd", True),
        ("thing/x", tarfile.SYMTYPE, "../../x", True),
        ("thing/x", tarfile.LNKTYPE, "../x", True),
        ("thing/x", tarfile.CHRTYPE, "", True),
        ("thing/x", tarfile.FIFOTYPE, "", True),
        ("thing/a/x", tarfile.SYMTYPE, "../y", False),
    ],
)
def test_paths_that_lead_outside(
    name: str, kind: bytes, link: str, refused: bool, tmp_path: Path
) -> None:
    source = tmp_path / "thing.tar"
    with tarfile.open(source, "w") as tar:
        tar.addfile(member_of(name.replace("HERE", str(tmp_path)), kind, link))
    try:
        (tmp_path / "out").mkdir()
        unpack(source, source.name, tmp_path / "out/deep")
        assert not refused
    except BuildError as error:
        assert refused and "leads outside" in str(error)
    assert not (tmp_path / "out" / "x").exists() and not (tmp_path / "x").exists()


VERSIONS = st.sampled_from(["1", "1.0.1", "2.0", "2.1", "3", "10.0rc1"])
OPERATORS = st.sampled_from([">=", ">", "<", "<=", "==", "!=", "~="])


@given(OPERATORS, VERSIONS, VERSIONS)
def test_too_old_is_what_a_newer_one_mends(
    operator: str, wanted: str, locked: str
) -> None:
    if operator == "~=" and "." not in wanted:
        wanted += ".0"
    (specifier,) = SpecifierSet(f"{operator}{wanted}")
    if is_above(specifier, Version(locked)):
        assert not specifier.contains(locked, prereleases=True)
        assert Version(wanted) > Version(locked)
    elif not specifier.contains(locked, prereleases=True):
        assert Version(locked) >= Version(wanted) or operator in ("<", "<=", "!=")


def test_what_is_built_can_be_installed(tmp_path: Path, run: Run) -> None:
    wheel = run.build(archive(tmp_path / "files", LEGACY))
    install_wheel(wheel, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out/bin").iterdir()) == [
        *("script", "thing"),
    ]
    assert (tmp_path / "out/share/x/y").read_text() == "y"
