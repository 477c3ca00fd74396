"""Virtual environments of copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
import virtual_environment
from install_wheel import install_wheel
from link_environment import link_environment
from mirror_site import make_wheel

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
SITE_PACKAGES = f"lib/{VERSION}/site-packages"
PYTHON = Path(os.path.realpath(sys.executable))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An environment of links with one package of all kinds of files."""
    wheel = make_wheel(
        tmp_path / "wheels",
        {
            "thing/__init__.py": b"import sys\n"
            b"class Kind:\n"
            b"    @staticmethod\n"
            b"    def main(): print(sys.prefix, sys.argv[0])\n",
            "thing/tool": b"#!/bin/sh\n",
            "thing/sourceless.pyc": b"code",
            "thing-1.0.data/scripts/script": b"#!python\nimport thing\n"
            b"thing.Kind.main()\n",
            "thing-1.0.data/scripts/shell": b"#!/bin/sh\n",
            "thing-1.0.data/scripts/binary": b"\x7fELF\0\n",
            "thing-1.0.data/data/share/thing/data": b"data",
        },
        entry_points="[console_scripts]\nthing = thing:Kind.main [extra]\n"
        "[gui_scripts]\nwindow = thing : Kind.main\n[other]\nodd = thing:no\n",
        executable=("thing/tool",),
    )
    package = tmp_path / "package"
    install_wheel(wheel, package)
    cache = package / SITE_PACKAGES / "thing/__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"code of elsewhere")
    record = package / SITE_PACKAGES / "thing-1.0.dist-info/RECORD"
    with open(record, "a") as rows:
        rows.write("thing/__pycache__/x.pyc,,\ngone.py,,\n/etc/passwd,,\n")
        rows.write("../../../../outside,,\n")
    (tmp_path / "outside").write_bytes(b"")
    target = tmp_path / "environment"
    link_environment(target, [package], PYTHON, SITE_PACKAGES)
    return target


def build(tmp_path: Path, source: Path, location: str) -> Path:
    target = tmp_path / "copy"
    words = [str(target), "--site-packages", str(source / SITE_PACKAGES)]
    words += ["--python", str(PYTHON), "--location", location]
    assert virtual_environment.main(words) == 0
    return target


def test_all_is_copied_and_nothing_linked(tmp_path: Path, source: Path) -> None:
    target = build(tmp_path, source, "/there/.venv")
    links = {path.name for path in target.rglob("*") if path.is_symlink()}
    assert links == {"python", "python3", VERSION}
    files = {
        str(path.relative_to(target))
        for path in target.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    info = f"{SITE_PACKAGES}/thing-1.0.dist-info"
    thing = f"{SITE_PACKAGES}/thing"
    assert files == {
        *(f"bin/{name}" for name in ("thing", "window", "script", "shell", "binary")),
        *(f"{thing}/{name}" for name in ("__init__.py", "tool", "sourceless.pyc")),
        *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER")),
        *(f"{info}/entry_points.txt", "share/thing/data", "pyvenv.cfg"),
    }
    for name in ("bin/thing", "bin/shell", "bin/binary", f"{thing}/tool"):
        assert os.access(target / name, os.X_OK)
    for path in target.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert str(tmp_path).encode() not in path.read_bytes()


def test_first_lines_name_the_new_location(tmp_path: Path, source: Path) -> None:
    target = build(tmp_path, source, "/there/.venv")
    first = {
        name: (target / "bin" / name).read_bytes().splitlines()[0]
        for name in ("thing", "window", "script", "shell", "binary")
    }
    assert first == {
        "thing": b"#!/there/.venv/bin/python",
        "window": b"#!/there/.venv/bin/python",
        "script": b"#!/there/.venv/bin/python",
        "shell": b"#!/bin/sh",
        "binary": b"\x7fELF\0",
    }


def test_it_works_where_it_lies(tmp_path: Path, source: Path) -> None:
    target = build(tmp_path, source, str(tmp_path / "copy"))
    shutil.rmtree(source)
    for name in ("thing", "window", "script"):
        command = target / "bin" / name
        done = subprocess.run([command], stdout=subprocess.PIPE, env={})
        assert done.stdout.decode() == f"{target} {command}\n"
    (found,) = distributions(path=[str(target / SITE_PACKAGES)])
    assert (found.metadata["Name"], found.version) == ("thing", "1.0")


def test_a_project_that_is_found_twice(tmp_path: Path) -> None:
    site = tmp_path / "environment" / SITE_PACKAGES
    for name in ("My.Thing", "my_thing"):
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
        (info / "RECORD").write_text(f"{info.name}/METADATA,,\n")
    found = virtual_environment.once_each(distributions(path=[str(site)]))
    assert len(found) == 1
    target = build(tmp_path, tmp_path / "environment", "/there")
    assert len(os.listdir(target / SITE_PACKAGES)) == 1


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"#!/env/bin/python\nx", b"#!/new/bin/python\nx"),
        (b"#!/env/bin/python3.9 -E\n", b"#!/new/bin/python -E\n"),
        (b"#!/env/bin/other\n", b"#!/env/bin/other\n"),
        (b"#!/other/bin/python\n", b"#!/other/bin/python\n"),
        (b"\x7fELF#!/env/bin/python", b"\x7fELF#!/env/bin/python"),
        (b"", b""),
    ],
)
def test_which_first_lines_are_rewritten(content: bytes, expected: bytes) -> None:
    found = virtual_environment.with_interpreter(content, Path("/env/bin"), "/new")
    assert found == expected
