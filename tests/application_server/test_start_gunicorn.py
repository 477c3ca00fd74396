"""Gunicorn's program in images: Gunicorn itself, its rarer imports postponed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import APPLICATION_SERVER

PROGRAM = APPLICATION_SERVER / "start_gunicorn.py"
TOLD = """
import sys
kind = type(sys.modules["pkg_resources"]).__name__
print("postponed" if kind == "PostponedModule" else "imported")
"""


def run(
    folder: Path, *arguments: str, path: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run the program in a folder that has an application and a configuration."""
    (folder / "application.py").write_text("def app(environ, start_response): ...\n")
    (folder / "settings.py").write_text(TOLD)
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


needs_setuptools = pytest.mark.skipif(
    importlib.util.find_spec("pkg_resources") is None, reason="needs pkg_resources"
)


@needs_setuptools
def test_what_is_not_used_is_not_imported(tmp_path: Path) -> None:
    words = ("-c", "settings.py", "--check-config", "application:app")
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (0, "postponed\n")


@needs_setuptools
def test_what_is_used_is_imported(tmp_path: Path) -> None:
    (tmp_path / "uses.py").write_text(
        "from gunicorn.util import load_class\n"
        'assert load_class("egg:gunicorn#gunicorn", section="console_scripts")\n' + TOLD
    )
    words = ("-c", "uses.py", "--check-config", "application:app")
    done = run(tmp_path, *words)
    assert (done.returncode, done.stdout) == (0, "imported\n"), done.stderr


@pytest.mark.parametrize(
    "use",
    [
        "import json.decoder; assert json.decoder.JSONDecoder",
        "from json import loads; assert loads('1') == 1",
        "import json; assert json.loads('1') == 1 and json.dumps(1) == '1'",
        "import json; assert not hasattr(json, 'nothing')",
        "from importlib import import_module; assert import_module('json').loads",
        "import importlib.util as u; assert u.find_spec('json').origin; held.loads",
    ],
)
def test_a_postponed_module_is_the_module(use: str) -> None:
    script = (
        "import sys, start_gunicorn; start_gunicorn.postpone('json');"
        "import json as held; assert 'json.decoder' not in sys.modules;"
        f"{use};"
        "import json; assert 'json.decoder' in sys.modules;"
        "assert type(sys.modules['json']) is type(sys);"
        "assert held.loads is sys.modules['json'].loads"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(APPLICATION_SERVER)},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_not_there_stays_so() -> None:
    script = (
        "import sys, start_gunicorn; start_gunicorn.postpone('not_a_module');"
        "assert 'not_a_module' not in sys.modules"
    )
    environment = {"PYTHONPATH": str(APPLICATION_SERVER)}
    subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, timeout=60
    )


def test_arguments_and_status_are_gunicorn_s(tmp_path: Path) -> None:
    import gunicorn

    done = run(tmp_path, "--version")
    assert done.stdout.endswith(f"(version {gunicorn.__version__})\n")
    assert done.returncode == 0
    assert run(tmp_path, "--no-such-option").returncode == 2


def test_without_gunicorn_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/sitecustomize.py").write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'gunicorn':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    done = run(tmp_path, "--version", path=str(tmp_path / "hidden"))
    assert done.returncode == 1
    assert done.stderr == (
        f"{sys.prefix} has no Gunicorn: poetry add gunicorn uvicorn\n"
    )
