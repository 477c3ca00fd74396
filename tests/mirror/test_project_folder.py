"""What Nix cannot see of a project's folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import project_folder

Program = Callable[[str, str], Path]


def git(program: Program, *names: str) -> Path:
    listed = "".join(f"{name}\0" for name in names).encode()
    return program("git", f"os.write(1, {listed!r})").with_name("git.log")


def test_files_are_named_as_a_shell_takes_them(
    program: Program, tmp_path: Path
) -> None:
    log = git(program, "app/a b.py", "b\nc", "c", "d", "e")
    assert project_folder.notes(tmp_path, os.environ) == [
        "Nix does not see files that git does not track:"
        " git add 'app/a b.py' 'b?c' c and 2 more"
    ]
    assert f'"-C", "{tmp_path}", "ls-files"' in log.read_text()


def test_results_of_nix_are_not_told(program: Program, tmp_path: Path) -> None:
    git(program, "result", "link")
    (tmp_path / "result").symlink_to("/nix/store/0-image")
    (tmp_path / "link").symlink_to("elsewhere")
    assert project_folder.untracked(tmp_path, os.environ) == ["link"]


def test_nothing_is_told_of_a_clean_folder(program: Program, tmp_path: Path) -> None:
    git(program)
    assert project_folder.notes(tmp_path, os.environ) == []


def test_a_space_in_the_path(program: Program, tmp_path: Path) -> None:
    git(program)
    (note,) = project_folder.notes(tmp_path / "my project", os.environ)
    assert note.startswith("older Nix cannot take") and "my project" in note
    program("git", "sys.exit(128)")
    assert project_folder.notes(tmp_path / "my project", os.environ) == []


def test_outside_git_all_is_seen(program: Program, tmp_path: Path) -> None:
    program("git", "print('x'); sys.exit(128)")
    assert project_folder.notes(tmp_path, os.environ) == []


def test_without_git(programs: Path, tmp_path: Path) -> None:
    assert project_folder.notes(tmp_path, os.environ) == []
