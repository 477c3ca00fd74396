"""The command `./mirror` as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nix_log import OPTIONS
from places import MIRROR_SET

Program = Callable[[str, str], Path]


def mirror(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-IB", str(MIRROR_SET / "command"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("word", ["--help", "-h", "help"])
def test_help(word: str) -> None:
    done = mirror(word)
    assert (done.returncode, done.stderr) == (0, "")
    assert "MIRROR_DEBIAN" in done.stdout


def test_alone_it_shows_the_help_as_an_error() -> None:
    done = mirror()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: ./mirror nix")


def test_an_unknown_command_is_an_error_in_one_line() -> None:
    done = mirror("build", ".#a")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mirror: there is no command 'build': ./mirror nix")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("chain", [["mirror"], ["mirror", "../opt/m", "o/-m"]])
@pytest.mark.parametrize("absolute", [True, False])
def test_links_to_the_command(
    chain: list[str], absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = MIRROR_SET.parent.parent / "mirror"
    link = folder = tmp_path / "bin"
    for name in reversed(chain):
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(
            target if absolute else os.path.relpath(target, link.parent.resolve())
        )
        target = link
    (tmp_path / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    done = subprocess.run(
        ["sh", link.name, "--help"], cwd=link.parent, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ./mirror nix")


@pytest.mark.parametrize("words", [[], ["--version"], ["store", "gc", "-v"], ["-c"]])
def test_other_words_reach_nix_untouched(words: list[str], program: Program) -> None:
    program("git", "")
    log = program("nix", "print('out'); sys.exit(7)").with_name("nix.log")
    done = mirror("nix", *words)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "")
    assert json.loads(log.read_text().splitlines()[-1]) == words


def test_the_command_runs_with_its_inputs_swapped(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = {
        "root": "root",
        "nodes": {"root": {"inputs": {"nixpkgs": "n", "poetry2nix": "p"}}},
    }
    (tmp_path / "flake.nix").touch()
    (tmp_path / "flake.lock").write_text(json.dumps(lock))
    monkeypatch.chdir(tmp_path)
    program("git", "")
    log = program("nix", "print(os.environ['NIX_CONFIG'])").with_name("nix.log")
    done = mirror("nix", "-L", "build", ".#a", "-o", "x")
    assert "sandbox = true" in done.stdout
    version, dry_run, real = map(json.loads, log.read_text().splitlines())
    assert version == ["--version"]
    swapped = real[2:-3]
    assert real == ["-L", "build", *swapped, ".#a", "-o", "x"]
    assert dry_run == ["build", "--dry-run", "--no-link", *swapped, ".#a", *OPTIONS]
    assert swapped[2] == f"path:{MIRROR_SET}"


@pytest.mark.parametrize(
    "words, set_up",
    [
        (["run", ".#poetry"], True),
        (["run"], True),
        (["run", ".#packages.x86_64-linux.poetry"], True),
        (["run", ".#image.load"], False),
        (["shell", ".#image.load"], True),
        (["build", ".#poetry"], False),
    ],
)
def test_poetry_is_told_of_the_index(
    words: list[str],
    set_up: bool,
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "flake.nix").touch()
    (tmp_path / "flake.lock").write_text(json.dumps({"nodes": {"root": {}}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIRROR_PYPI", "https://index.example/simple/")
    monkeypatch.delenv("POETRY_PYPI_MIRROR_URL", raising=False)
    program("git", "")
    program("nix", "print(json.dumps(os.environ.get('POETRY_PYPI_MIRROR_URL')))")
    done = mirror("nix", *words)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == ("https://index.example/simple" if set_up else None)


def test_what_is_missing_is_installed(program: Program, programs: Path) -> None:
    program(
        "apt-get",
        "nix = os.path.join(os.path.dirname(sys.argv[0]), 'nix')\n"
        f"os.path.exists(nix) or os.symlink({str(programs / 'later')!r}, nix)",
    )
    program("later", "print('nix', *arguments)")
    done = mirror("nix", "--version")
    assert done.stdout == "nix --version\n"
    assert done.stderr == "mirror: installing nix-bin git with apt-get\n"


def test_without_nix_and_apt(programs: Path) -> None:
    done = mirror("nix", "build")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "mirror: this machine lacks nix and git, and apt-get to install it with:"
        " install it yourself, and run this again\n"
    )


def test_unknown_sets_are_an_error_in_one_line(program: Program) -> None:
    program("git", "")
    program("nix", "")
    done = mirror("lock", "python4")
    assert done.returncode == 1
    assert done.stderr.startswith("mirror: there is no set 'python4': ./mirror lock")
    assert "python39, " in done.stderr and ", wheels\n" in done.stderr
    assert os.access(MIRROR_SET / "debian/lock.json", os.R_OK)


@pytest.mark.parametrize(
    "printed, refused",
    [
        ("nix (Nix) 2.3.7", True),
        ("nix (Nix) 2.7.0", True),
        ("nix (Nix) 2.8.0", False),
        ("nix (Nix) 2.26.3", False),
        ("nix (Nix) 3.0.0", False),
    ],
)
def test_an_old_nix_is_refused(printed: str, refused: bool, program: Program) -> None:
    program("git", "")
    program("nix", f"print({printed!r})")
    done = mirror("nix", "--version")
    if not refused:
        assert (done.returncode, done.stderr) == (0, "")
        return
    assert done.returncode == 1
    assert done.stderr == (
        f"mirror: this machine's Nix is {printed.split()[-1][:3]}, and 2.8 or newer is"
        " needed: install a newer nix-bin, such as from the next Debian release\n"
    )


def test_files_that_git_does_not_track_are_named(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flake.nix").touch()
    monkeypatch.chdir(tmp_path)
    program("git", "sys.stdout.write('app/a b.py\\0result\\0')")
    (tmp_path / "result").symlink_to("/nix/store/0-image")
    program("nix", "print('[]')")
    done = mirror("nix", "build", ".#a")
    assert done.stderr == (
        "mirror: note: Nix does not see files that git does not track:"
        " git add 'app/a b.py'\n"
    )
