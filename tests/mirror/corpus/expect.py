"""Locks the projects of the corpus, and notes what Poetry itself would install.

For maintainers: it needs package indexes and the Poetry of each series, in virtual
environments of their own:

    python -m venv V && V/bin/pip install poetry==1.8.5 poetry-plugin-pypi-mirror==0.4.2
    python tests/mirror/corpus/expect.py --python PYTHON --poetry 1.8.5=V/bin/poetry

PYTHON is the interpreter that the environments are for, the one of the images. Poetry
2 takes the plugin's newest version, Poetry 1.1 none. Each project's expected.json names
its Poetry and the selections; this fills in what is chosen, and leaves the field
"differences" as it stands.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

CORPUS = Path(__file__).resolve().parent
FILES = ("pyproject.toml", "poetry.lock")

# Poetry 1.1 takes no plugins: its class for the default index is put in place of
# the one that reads simple indexes (PEP 503), and packages lose their source.
POETRY_1_1 = """
import os, sys
from poetry.repositories import legacy_repository, pypi_repository
import poetry.factory
class Mirror(legacy_repository.LegacyRepository):
    def __init__(self):
        super().__init__("mirror", os.environ["POETRY_PYPI_MIRROR_URL"])
    def package(self, name, version, extras=None):
        package = super().package(name, version, extras)
        package._source_type = package._source_url = package._source_reference = None
        return package
    def find_packages(self, dependency):
        found = super().find_packages(dependency)
        for package in found:
            package._source_type = package._source_url = None
            package._source_reference = None
        return found
poetry.factory.PyPiRepository = Mirror
from poetry.console import main
sys.argv[0] = "poetry"
main()
"""


class CorpusError(Exception):
    """The corpus cannot be written; the message is one line."""


def default_index() -> str:
    """The index that pip on this machine is configured with."""
    sys.path.insert(0, str(CORPUS.parents[2] / "nix/mirror/command"))
    from package_index import Index

    return str(Index(os.environ).roots[0])


def poetry_command(version: str, program: Path) -> list[str]:
    """The words that run this Poetry. Raises CorpusError where it is another one."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    if not re.search(rf"\b{re.escape(version)}\b", done.stdout):
        raise CorpusError(f"{program} is not Poetry {version}: {done.stdout.strip()}")
    if version.startswith("1.1."):
        return [str(program.with_name("python")), "-c", POETRY_1_1]
    return [str(program)]


def selection_options(version: str, selection: Mapping[str, Any]) -> list[str]:
    """The options of `poetry install` for groups and extras.

    Poetry 1.1 knows the development dependencies alone.
    """
    groups, extras = selection["groups"], selection["extras"]
    options = [word for extra in extras for word in ("--extras", extra)]
    if version.startswith("1.1."):
        return options if "dev" in groups else ["--no-dev", *options]
    return ["--only", ",".join(groups), *options]


def parse_installation(text: str) -> dict[str, str]:
    """The versions, by name, that a dry run of `poetry install` names.

    Of a package that it names twice the last one counts, which overwrites the first.

    >>> parse_installation("  - Installing A.b (1.0)\\n  - Installing c (2.0): Skipped")
    {'a-b': '1.0'}
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    found = re.findall(r"Installing (\S+) \(([^ )]+)[^)]*\)(.*)", plain)
    return {
        re.sub(r"[-_.]+", "-", name).lower(): version
        for name, version, rest in found
        if "Skipped" not in rest
    }


def without_descriptions(lock: str) -> str:
    """A lock without its packages' descriptions, in which hosts may be named.

    >>> without_descriptions('name = "a"\\ndescription = "a \\\\"b\\\\""\\n')
    'name = "a"\\ndescription = ""\\n'
    """
    return re.sub(
        r'^description = ("(?:[^"\\\n]|\\.)*"|\'.*\')$',
        'description = ""',
        lock,
        flags=re.MULTILINE,
    )


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run Poetry; returns what it prints. Raises CorpusError."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode != 0:
        told = " ".join((done.stderr or done.stdout).split())[-600:]
        raise CorpusError(f"{folder.name}: {command[-1]}: {told}")
    return done.stdout


def write(name: str, python: Path, poetry: Sequence[str], lock: bool) -> None:
    """Lock a project, if there is no lock or `lock` says so, and note the choices."""
    folder = CORPUS / name
    expected = json.loads((folder / "expected.json").read_text())
    version = expected["poetry"]
    with tempfile.TemporaryDirectory() as temporary:
        # Poetry builds path dependencies where they lie.
        copy = Path(temporary) / name
        shutil.copytree(folder, copy)
        target = Path(temporary) / "environment"
        subprocess.run([python, "-m", "venv", "--without-pip", target], check=True)
        # Poetry takes no environment without it for a virtual one.
        (target / "bin/pip").touch()
        environment = {
            **os.environ,
            "POETRY_PYPI_MIRROR_URL": default_index(),
            "POETRY_NO_INTERACTION": "1",
            "POETRY_KEYRING_ENABLED": "false",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PYTHONPATH": "",
            "VIRTUAL_ENV": str(target),
            "PATH": f"{target / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        used = run([*poetry, "env", "info", "--path"], copy, environment)
        if Path(used.strip()).resolve() != target.resolve():
            raise CorpusError(f"{name}: Poetry uses another environment: {used}")
        locked = copy / "poetry.lock"
        if lock or not locked.exists():
            locked.unlink(missing_ok=True)
            run([*poetry, "lock"], copy, environment)
            text = without_descriptions(locked.read_text())
            if "://" in text:
                raise CorpusError(
                    f"{name}: its lock names a host: see which package does"
                )
            (folder / "poetry.lock").write_text(text)
        for selection in expected["selections"]:
            words = ["install", "--no-root", "--dry-run", "--no-ansi"]
            words += selection_options(version, selection)
            told = run([*poetry, *words], copy, environment)
            selection["chosen"] = dict(sorted(parse_installation(told).items()))
            if not selection["chosen"]:
                raise CorpusError(f"{name}: Poetry would install nothing: {told!r}")
    text = json.dumps(expected, indent=1) + "\n"
    (folder / "expected.json").write_text(text)
    count = sum(len(selection["chosen"]) for selection in expected["selections"])
    print(f"{name}: {count} packages in {len(expected['selections'])} selections")


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write the corpus, or the named projects; returns 1 with one line on an error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--poetry", action="append", metavar="VERSION=PROGRAM")
    parser.add_argument("--lock", action="store_true", help="lock anew")
    arguments = parser.parse_args(words)
    known = dict(word.split("=", 1) for word in arguments.poetry or [])
    status = 0
    for path in sorted(CORPUS.glob("*/expected.json")):
        name = path.parent.name
        if arguments.names and name not in arguments.names:
            continue
        try:
            version = json.loads(path.read_text())["poetry"]
            if version not in known:
                raise CorpusError(f"{name}: name Poetry {version} with --poetry")
            command = poetry_command(version, Path(known[version]).absolute())
            write(name, arguments.python, command, arguments.lock)
        except CorpusError as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
