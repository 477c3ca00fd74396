"""What this machine's own Nix, whichever version, says of what it is going to build."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import run

ASK = """
import dataclasses, json, os, sys
sys.path.insert(0, sys.argv[1])
from nix_command import Nix
nix = Nix(os.environ)
asked = nix.unbuilt(["--file", *sys.argv[2:]])
below = nix.unbuilt_derivations([*asked.unbuilt, "/nix/store/%s-unknown.drv" % ("0" * 32)])
nix.locked_files(below.unbuilt)
print(json.dumps([dataclasses.asdict(asked), dataclasses.asdict(below)]))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nix with an empty store, and a binary cache that has the file `cached`."""
    cache = f"file://{tmp_path}/cache"
    common = "experimental-features = nix-command flakes\nbuild-users-group =\n"
    variables = {**os.environ, "NIX_REMOTE": f"{tmp_path}/first"}
    variables["NIX_CONFIG"] = f"{common}substituters ="
    (tmp_path / "cached").write_text("cached")
    words = ["nix-store", "--add-fixed", "sha256", "cached"]
    path = run(tmp_path, *words, environment=variables).stdout.strip()
    run(tmp_path, "nix", "copy", "--to", cache, path, environment=variables)
    variables["NIX_REMOTE"] = f"{tmp_path}/second"
    settings = f"substituters = {cache}\nrequire-sigs = false"
    variables["NIX_CONFIG"] = f"{common}{settings}"
    return variables


def ask(
    clone: Path, attribute: str, environment: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Nix says of an attribute of the example, and of the derivations for it."""
    words = [sys.executable, "-IB", "-c", ASK, str(clone / "nix/mirror/command")]
    example = clone / "tests/mirror/support/nix_log/example.nix"
    done = run(clone, *words, str(example), attribute, environment=environment)
    asked, below = json.loads(done.stdout)
    return asked, below


def names(paths: list[str]) -> list[str]:
    return sorted(path.partition("-")[2] for path in paths)


def test_what_a_cache_has_is_not_unbuilt(
    base: Path, environment: dict[str, str]
) -> None:
    asked, below = ask(base, "build", environment)
    assert asked["evaluated"] and below["evaluated"]
    assert names(asked["unbuilt"]) == ["absent.drv", "thing.drv"]
    assert names(below["unbuilt"]) == ["absent.drv", "thing.drv", "unknown.drv"]
    asked, _ = ask(base, "cached", environment)
    assert (asked["evaluated"], asked["unbuilt"]) == (True, [])


def test_what_an_evaluation_wants_built(
    base: Path, environment: dict[str, str]
) -> None:
    asked, _ = ask(base, "evaluation", environment)
    assert not asked["evaluated"]
    assert names(asked["started"]) == ["first.drv", "second.drv", "third.drv"]


def test_what_does_not_evaluate(base: Path, environment: dict[str, str]) -> None:
    asked, _ = ask(base, "broken", environment)
    assert not asked["evaluated"]
    assert "error:" in asked["message"] and "thrown" in asked["message"]
    assert (asked["unbuilt"], asked["started"]) == ([], [])
