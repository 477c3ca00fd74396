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


def test_data_beside_scripts_and_modules(tmp_path: Path) -> None:
    library = f"lib__{VERSION}__other__x"
    a = package(tmp_path, "a", bin__folder__x="x", bin__a="a", **{library: "x"})
    b = package(tmp_path, "b", bin__folder__y="y", include__b__h="h", lib__b="b")
    target = build(tmp_path, a, b)
    assert sorted(os.listdir(target / "bin/folder")) == ["x", "y"]
    assert (target / f"lib/{VERSION}/other/x").read_text() == "x"
    assert (target / "include/b/h").read_text() == "h"
    assert (target / "lib/b").read_text() == "b"


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


PKGUTIL = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
PKG_RESOURCES = b"__import__('pkg_resources').declare_namespace(__name__)\n"


@pytest.mark.parametrize(
    "initial",
    [{}, {"space/__init__.py": PKGUTIL}, {"space/__init__.py": PKG_RESOURCES}],
)
@pytest.mark.parametrize("half", [False, True])
def test_namespace_packages(
    initial: dict[str, bytes], half: bool, tmp_path: Path
) -> None:
    """Of all three kinds (packaging guide, "Packaging namespace packages").

    half: one of the packages lacks the __init__.py that the other one has.
    """
    folders = []
    for name in ("one", "two", "three"):
        files = {
            f"space/{name}/__init__.py": b"",
            "space/deep/" + name + ".py": b"from space import one, two, three\n",
            f"{name}-nspkg.pth": b"import sys\n",
            **({} if half and name == "two" else initial),
        }
        wheel = make_wheel(tmp_path / "wheels", files, name=name)
        install_wheel(wheel, tmp_path / "packages" / name)
        folders.append(tmp_path / "packages" / name)
    target = build(tmp_path, *folders, python=Path(os.path.realpath(sys.executable)))
    (target / SITE_PACKAGES / "pkg_resources.py").write_text(
        "def declare_namespace(name): pass\n"
    )
    script = "import space.deep.one, space.deep.two, space.deep.three; print('well')"
    done = subprocess.run(
        [target / "bin/python", "-c", script], stdout=subprocess.PIPE, env={}
    )
    assert done.stdout == b"well\n"


def test_top_level_packages_that_share_a_folder(tmp_path: Path) -> None:
    a = package(tmp_path, "a", SITE__tests__a="a", SITE__top__x__a="", SITE__a="a")
    b = package(tmp_path, "b", SITE__tests__b="b", SITE__top__x__b="", SITE__b="b")
    c = package(tmp_path, "c", SITE__top__y="")
    site = build(tmp_path, a, b, c) / SITE_PACKAGES
    assert sorted(os.listdir(site / "tests")) == ["a", "b"]
    assert sorted(os.listdir(site / "top/x")) == ["a", "b"]
    assert sorted(os.listdir(site)) == ["a", "b", "tests", "top"]
