"""Builds a wheel from source, with the source's own build backend (PEP 517).

No network and no compiler is there: the backend and all that it needs are among the
locked build requirements, and what is built is pure Python. The wheel depends on the
source alone: hash seed, time stamps and versions that backends else read from a version
control system are given.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Optional

import tomli
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import Specifier
from packaging.utils import InvalidWheelFilename, canonicalize_name
from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pyproject_hooks import BackendUnavailable, BuildBackendHookCaller

# PEP 517, "Source trees", and PEP 518: what holds where pyproject.toml says nothing.
LEGACY_REQUIREMENTS = ["setuptools>=40.8.0"]
LEGACY_BACKEND = "setuptools.build_meta:__legacy__"

# Files that a compiler has to translate.
COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx", ".rs", ".f", ".f90", ".go", ".m")

# Folders of sources whose files are not part of what is built.
ASIDE = {"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmarks"}


class BuildError(Exception):
    """No wheel comes of the source; the message is one line: why, and what mends it."""


class Requirements:
    """The locked build requirements: a folder of folders, one an unpacked wheel."""

    def __init__(self, folder: Path) -> None:
        """folder: each folder in it has a project's normalised name."""
        self.folder = folder
        self.known = sorted(path.name for path in folder.iterdir())

    def metadata(self, name: str) -> Message:
        """The core metadata of a project's wheel; its fields may be there often."""
        (path,) = (self.folder / name).glob("*.dist-info/METADATA")
        return HeaderParser().parsestr(path.read_text(encoding="utf-8"))

    def closure(self, texts: Iterable[str]) -> list[str]:
        """The names of what requirements (PEP 508) need, themselves and theirs.

        Raises BuildError where one is not there. One that is newer than a requirement
        allows is taken, with a warning: backends seldom take back what they could.
        """
        found: list[str] = []
        seen: dict[str, set[str]] = {}
        waiting = [(text, "") for text in texts]
        while waiting:
            text, extra = waiting.pop(0)
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                told = " ".join(str(error).split())
                raise BuildError(f"build requirement {text!r}: {told}") from None
            marker = requirement.marker
            if marker is not None and not marker.evaluate({"extra": extra}):
                continue
            name = str(canonicalize_name(requirement.name))
            if name not in self.known:
                raise BuildError(
                    f"is built with {text!r}, which is not among the locked build"
                    f" requirements ({', '.join(self.known)}): lock a version with a"
                    " wheel, or let the maintainers add it to"
                    " nix/mirror/wheels/requirements.txt"
                )
            metadata = self.metadata(name)
            check_version(requirement, Version(metadata["Version"]))
            if name not in found:
                found.append(name)
            for each in sorted(
                {"", *requirement.extras} - seen.setdefault(name, set())
            ):
                seen[name].add(each)
                needed = metadata.get_all("Requires-Dist") or []
                waiting += [(str(text), each) for text in needed]
        return found

    def paths(self, names: Iterable[str]) -> str:
        """The folders of projects as the value of PYTHONPATH."""
        return os.pathsep.join(str(self.folder / name) for name in names)


def check_version(requirement: Requirement, version: Version) -> None:
    """Warn of a locked version that is too new; raise BuildError where it is too old."""
    if requirement.specifier.contains(version, prereleases=True):
        return
    told = f"{requirement.name} {version} is locked, {requirement} is wanted"
    if any(is_above(specifier, version) for specifier in requirement.specifier):
        raise BuildError(
            f"{told}: lock a version with a wheel, or let the maintainers lock a newer"
            " one in nix/mirror/wheels/requirements.txt"
        )
    print(f"warning: {told}", file=sys.stderr)


def is_above(specifier: Specifier, version: Version) -> bool:
    """Whether a part of a version specifier wants a newer version (PEP 440).

    >>> is_above(Specifier(">=2"), Version("1")), is_above(Specifier("<2"), Version("3"))
    (True, False)
    """
    if specifier.operator not in (">=", ">", "==", "~=", "==="):
        return False
    try:
        return Version(specifier.version.replace(".*", "")) > version
    except InvalidVersion:
        return True


def unpack(source: Path, name: str, target: Path) -> Path:
    """Unpack an archive, or copy a folder, to `target`; returns the source tree.

    name: the archive's own name. Raises BuildError where it is none, or holds a path
    that leads outside of it.
    """
    if source.is_dir():
        shutil.copytree(source, target)
        for path in [target, *target.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o200)
        return target
    target.mkdir()
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(source) as archive:
                archive.extractall(target)
        else:
            with tarfile.open(source) as tar:
                for member in tar.getmembers():
                    check_member(member, target)
                tar.extractall(target)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise BuildError(f"{name} cannot be unpacked: {error}") from None
    trees = [path for path in target.iterdir() if path.is_dir()]
    if len(trees) != 1:
        raise BuildError(f"{name} does not hold one folder, but {len(trees)}")
    for path in target.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o600)
    return trees[0]


def check_member(member: tarfile.TarInfo, target: Path) -> None:
    """Refuse what lies, or leads, outside of the archive, and devices (PEP 721)."""
    place = target / member.name
    leads = [place]
    if member.issym():
        leads.append(place.parent / member.linkname)
    elif member.islnk():
        leads.append(target / member.linkname)
    inside = str(target.resolve()) + os.sep
    if member.isdev() or not all(
        (os.path.abspath(lead) + os.sep).startswith(inside) for lead in leads
    ):
        raise BuildError(f"the archive holds a path that leads outside: {member.name}")


def read_build_system(tree: Path) -> tuple[list[str], str, Optional[list[str]]]:
    """Requirements, backend and backend-path of a source tree (PEP 517, PEP 518).

    Raises BuildError where the tree is nothing that can be built.
    """
    path = tree / "pyproject.toml"
    if not path.exists():
        if not (tree / "setup.py").exists():
            raise BuildError(
                "has neither pyproject.toml nor setup.py: is it a project?"
            )
        return LEGACY_REQUIREMENTS, LEGACY_BACKEND, None
    try:
        content = tomli.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BuildError(f"its pyproject.toml is no TOML: {error}") from None
    system = content.get("build-system", {})
    requires = system.get("requires", LEGACY_REQUIREMENTS)
    return (
        requires,
        system.get("build-backend", LEGACY_BACKEND),
        system.get("backend-path"),
    )


def compiled_file(tree: Path) -> Optional[Path]:
    """The first file of a tree that a compiler has to translate, relative to it."""
    for path in sorted(tree.rglob("*")):
        inside = path.relative_to(tree)
        if path.suffix in COMPILED and path.is_file():
            if not ASIDE & {part.lower() for part in inside.parts[:-1]}:
                return inside
    return None


class Builder:
    """One build of a source tree, in a folder of its own."""

    def __init__(self, folder: Path, requirements: Requirements, version: str) -> None:
        """folder: for what the build leaves; version: the locked one."""
        self.requirements = requirements
        self.log = folder / "log"
        home = folder / "home"
        home.mkdir()
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "TMPDIR": str(home),
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONUTF8": "1",
            "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH", "315532800"),
            # What backends else ask a version control system for.
            "SETUPTOOLS_SCM_PRETEND_VERSION": version,
            "PBR_VERSION": version,
            "PDM_BUILD_SCM_VERSION": version,
        }

    def run_hook(
        self,
        cmd: Sequence[str],
        cwd: Optional[str] = None,
        extra_environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Run a hook's process; what it prints goes to the log and standard error."""
        environment = {**self.environment, **(extra_environ or {})}
        with open(self.log, "ab") as log:
            done = subprocess.run(
                cmd, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, cmd)

    def last_line(self) -> str:
        """The last line that a hook printed, which most often is its error."""
        if not self.log.exists():
            return "no message"
        lines = self.log.read_text(errors="replace").splitlines()
        return ([line.strip() for line in lines if line.strip()] or ["no message"])[-1]

    def build(self, tree: Path, target: Path) -> Path:
        """Build the wheel of a source tree into a folder; returns it.

        Raises BuildError.
        """
        requires, backend, backend_path = read_build_system(tree)
        self.environment["PYTHONPATH"] = self.requirements.paths(
            self.requirements.closure(requires)
        )
        hooks = BuildBackendHookCaller(
            str(tree),
            backend,
            backend_path=backend_path,
            runner=self.run_hook,
            python_executable=sys.executable,
        )
        try:
            more = hooks.get_requires_for_build_wheel()
            self.environment["PYTHONPATH"] = self.requirements.paths(
                self.requirements.closure([*requires, *more])
            )
            return target / hooks.build_wheel(str(target))
        except (BackendUnavailable, subprocess.CalledProcessError) as error:
            told = self.last_line()
            if isinstance(error, BackendUnavailable):
                told = " ".join((error.traceback or "").split("\n")[-2:]).strip()
            compiled = compiled_file(tree)
            if compiled is not None:
                raise BuildError(
                    f"needs a compiler, which this sandbox has not, for {compiled}:"
                    " lock a version with a wheel for this Python, or install"
                    " it in a Dockerfile on the platform image"
                ) from None
            raise BuildError(f"does not build with {backend}: {told}") from None


def check_wheel(wheel: Path, name: str, version: str) -> None:
    """Refuse a wheel that is not the locked package. Raises BuildError."""
    try:
        built_name, built_version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise BuildError(f"comes out as a wheel with an odd name: {error}") from None
    if built_name != canonicalize_name(name) or built_version != Version(version):
        raise BuildError(
            f"comes out as {built_name} {built_version}, which is not what poetry.lock"
            " says: poetry lock"
        )


def main(words: Optional[Sequence[str]] = None) -> int:
    """Build; returns 1 with one line on standard error where no wheel comes of it.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path, help="an archive or a folder")
    parser.add_argument("target", type=Path, help="the folder to write the wheel to")
    parser.add_argument("--file", required=True, help="the archive's own name")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--requirements", type=Path, required=True)
    parser.add_argument(
        "--work",
        type=Path,
        required=True,
        help="a folder to make; its path may get into what is built",
    )
    arguments = parser.parse_args(words)
    os.umask(0o022)
    work = arguments.work.absolute()
    built = work / "built"
    built.mkdir(parents=True)
    builder = Builder(work, Requirements(arguments.requirements), arguments.version)
    try:
        tree = unpack(arguments.source, arguments.file, work / "source")
        wheel = builder.build(tree, built)
        check_wheel(wheel, arguments.name, arguments.version)
    except BuildError as error:
        if builder.log.exists():
            sys.stderr.write(builder.log.read_text(errors="replace"))
        print(f"error: {arguments.name} {arguments.version} {error}", file=sys.stderr)
        return 1
    arguments.target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(wheel, arguments.target / wheel.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
