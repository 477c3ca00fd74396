"""Environments of links."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Optional

import link_environment
import pytest
from install_wheel import install_wheel
from link_environment import PLACEHOLDER, with_interpreter
from mirror_site import make_wheel

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
SITE_PACKAGES = f"lib/{VERSION}/site-packages"


def package(tmp_path: Path, name: str, **files: str) -> Path:
    """An installed package; in the files' names __ is a slash."""
    folder = tmp_path / "packages" / name
    for path, content in files.items():
        file = folder / path.replace("__", "/").replace("SITE", SITE_PACKAGES)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return folder


def build(tmp_path: Path, *packages: Path, python: Optional[Path] = None) -> Path:
    target = tmp_path / "environment"
    words = [str(target), *map(str, packages), "--site-packages", SITE_PACKAGES]
    words += ["--python", str(python or sys.executable)]
    assert link_environment.main(words) == 0
    return target


def test_packages_are_linked_whole(tmp_path: Path) -> None:
    a = package(tmp_path, "a", SITE__a__init="", SITE__a__deep__x="")
    b = package(tmp_path, "b", SITE__b="")
    site = build(tmp_path, a, b) / SITE_PACKAGES
    assert os.readlink(site / "a") == str(a / SITE_PACKAGES / "a")
    assert os.readlink(site / "b") == str(b / SITE_PACKAGES / "b")


def test_shared_folders_are_merged(tmp_path: Path) -> None:
    a = package(tmp_path, "a", SITE__shared__a="a", SITE__shared__own__x="x")
    b = package(tmp_path, "b", SITE__shared__b="b", share__man__b="")
    c = package(tmp_path, "c", share__man__c="", etc__c="", lib__c="")
    target = build(tmp_path, a, b, c)
    shared = target / SITE_PACKAGES / "shared"
    assert sorted(os.listdir(shared)) == ["a", "b", "own"]
    assert not shared.is_symlink() and (shared / "own").is_symlink()
    assert sorted(os.listdir(target / "share/man")) == ["b", "c"]
    assert (target / "etc").is_symlink() and (target / "lib/c").is_symlink()


def test_the_first_of_files_that_differ_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = package(tmp_path, "a", SITE__x="1", SITE__same="", bin__s="a", bin__t="t")
    b = package(tmp_path, "b", SITE__x="2", SITE__same="", bin__s="b", bin__t="t")
    target = build(tmp_path, a, b)
    assert (target / SITE_PACKAGES / "x").read_text() == "1"
    assert (target / "bin/s").read_text() == "a"
    warnings = capsys.readouterr().err.splitlines()
    assert [line.split()[:3] for line in warnings] == [
        ["warning:", str(b / SITE_PACKAGES / "x"), "is"],
        ["warning:", str(b / "bin/s"), "is"],
    ]


def test_a_file_that_is_a_folder_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = package(tmp_path, "a", SITE__x="1")
    b = package(tmp_path, "b", SITE__x__y="2")
    words = [str(tmp_path / "out"), str(a), str(b), "--site-packages", SITE_PACKAGES]
    assert link_environment.main([*words, "--python", sys.executable]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"#!" + PLACEHOLDER + b" -E\nx", b"#!/new/python -E\nx"),
        (b"#!/bin/sh\n" + PLACEHOLDER, b"#!/bin/sh\n" + PLACEHOLDER),
        (b"\x7fELF" + PLACEHOLDER, b"\x7fELF" + PLACEHOLDER),
        (b"", b""),
        (b"#!" + PLACEHOLDER, b"#!/new/python"),
    ],
)
def test_only_first_lines_are_rewritten(content: bytes, expected: bytes) -> None:
    assert with_interpreter(content, Path("/new/python")) == expected


def test_the_environment_works(tmp_path: Path) -> None:
    main = b"import sys\ndef main(): print(sys.prefix)\n"
    for name in ("one", "two"):
        wheel = make_wheel(
            tmp_path / "wheels",
            {f"shared/{name}.py": main},
            name=name,
            entry_points=f"[console_scripts]\n{name} = shared.{name}:main\n",
        )
        install_wheel(wheel, tmp_path / "packages" / name)
    folders = [tmp_path / "packages" / name for name in ("one", "two")]
    target = build(tmp_path, *folders, python=Path(os.path.realpath(sys.executable)))
    for name in ("one", "two"):
        done = subprocess.run([target / "bin" / name], stdout=subprocess.PIPE, env={})
        assert done.stdout.decode() == f"{target}\n"
    python = target / "bin/python"
    shown = subprocess.run(
        [python, "-Ic", "import shared.one, shared.two, sys; print(sys.executable)"],
        stdout=subprocess.PIPE,
        env={},
    )
    assert shown.stdout.decode() == f"{python}\n"
    assert sorted(os.listdir(target / "bin")) == sorted(
        ["one", "two", "python", "python3", VERSION]
    )
