"""The command `./mirror` as a user meets it: real Nix, real Docker."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .conftest import run


def load(clone: Path) -> list[str]:
    """Load `result` into Docker; returns the image's layers."""
    with open(clone / "result", "rb") as archive:
        done = subprocess.run(
            ["docker", "load"], stdin=archive, stdout=subprocess.PIPE, text=True
        )
    assert done.returncode == 0
    name = done.stdout.strip().splitlines()[-1].partition(": ")[2]
    (inspected,) = json.loads(run(clone, "docker", "inspect", name).stdout)
    return list(inspected["RootFS"]["Layers"])


def test_an_edit_changes_the_last_layer_alone(clone: Path) -> None:
    run(clone, "./mirror", "nix", "build", ".#app-example")
    before = load(clone)
    main = clone / "app-example/app/main.py"
    main.write_text(main.read_text().replace("Hello World!", "Hello again!"))
    run(clone, "./mirror", "nix", "build", ".#app-example")
    after = load(clone)
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


def test_two_clones_give_the_same_image(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "another"
    run(clone, "git", "clone", "--quiet", ".", str(other))
    paths = {
        run(folder, "./mirror", "nix", "path-info", ".#app-example").stdout
        for folder in (clone, other)
    }
    assert len(paths) == 1


def test_exit_status_is_handed_on(clone: Path) -> None:
    done = run(clone, "./mirror", "nix", "eval", ".#nothing", check=False)
    assert done.returncode == 1
    assert "nothing" in done.stderr
    done = run(clone, "./mirror", "nix", "--version")
    assert done.stdout.startswith("nix (Nix) ")


def test_help_fits_one_screen(clone: Path) -> None:
    shown = run(clone, "./mirror", "--help").stdout
    assert len(shown.splitlines()) <= 40
    assert "MIRROR_DEBIAN" in shown and "MIRROR_PYPI" in shown


def test_a_space_in_the_path_is_said(clone: Path) -> None:
    spaced = clone.parent / "with space"
    clone.rename(spaced)
    done = run(spaced, "./mirror", "nix", "build", ".#image", check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("mirror: ") and "space" in line


def test_nothing_is_rewritten_by_a_build(clone: Path) -> None:
    run(clone, "./mirror", "nix", "build", "--no-link", ".#app-example")
    assert run(clone, "git", "status", "--porcelain").stdout == ""
