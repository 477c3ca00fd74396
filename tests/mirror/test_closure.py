"""What outputs of a flake are made of, by a Nix that is a stand-in."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import store_access
from closure import Closure
from errors import MirrorError

Program = Callable[[str, str], Path]

# Its flake has a package, a check and an app. All that they need is built.
FAKE_NIX = """
last = arguments[-1]
if 'builtins.attrNames' in arguments:
    names = {'packages': ['a'], 'checks': ['b.c'], 'apps': ['push'], 'devShells': []}
    print(json.dumps(names.get(last.partition('#')[2].split('.')[0], [])))
elif arguments[0] == 'eval':
    print(json.dumps(['/nix/store/0-program.drv', '/nix/store/0-x']))
elif arguments[:2] == ['path-info', '--derivation']:
    if os.path.exists('broken'):
        sys.exit('error: undefined variable')
    for word in arguments:
        if '#' in word:
            print('/nix/store/0-' + word.rpartition('.')[2].strip('"') + '.drv')
elif arguments[0] == 'show-derivation':
    described = {'kind': 'debian', 'location': 'pool/a.deb', 'sha256': '00' * 32}
    environment = {'mirrorFile': json.dumps(described), 'name': 'a', 'out': '/s/a'}
    print(json.dumps({drv: {'env': environment} for drv in arguments[1:]}))
"""
FAKE_STORE = """
if '--requisites' in arguments:
    print('/nix/store/0-source')
    for word in arguments:
        if word.endswith('.drv'): print(word)
    if '--include-outputs' in arguments: print('/nix/store/0-output')
"""


@pytest.fixture(autouse=True)
def flake(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a flake's folder, with that Nix."""
    lock = {
        "root": "root",
        "nodes": {"root": {"inputs": {"nixpkgs": "n", "poetry2nix": "p"}}},
    }
    (tmp_path / "flake.nix").touch()
    (tmp_path / "flake.lock").write_text(json.dumps(lock))
    program("nix", textwrap.dedent(FAKE_NIX))
    program("nix-store", textwrap.dedent(FAKE_STORE))
    monkeypatch.setattr(store_access, "check", lambda environment: None)
    monkeypatch.chdir(tmp_path)


def names(paths: list[str]) -> list[str]:
    """Of derivations."""
    return [path.partition("-")[2].removesuffix(".drv") for path in paths]


def test_installables_and_the_tools_of_evaluation() -> None:
    closure = Closure([".#a", ".#x.y"], os.environ)
    assert closure.installables == [".#a", ".#x.y"]
    first, second, tools = names(closure.derivations)
    assert second == "y"
    assert first.endswith("#a") and tools.endswith("#evaluation")


def test_all_outputs_of_a_flake() -> None:
    closure = Closure([], os.environ)
    system = "x86_64-linux"
    assert closure.installables == [
        f'.#packages.{system}."a"',
        f'.#checks.{system}."b.c"',
    ]
    assert names(closure.derivations)[2] == "program"


def test_requisites() -> None:
    closure = Closure([".#a"], os.environ)
    assert "/nix/store/0-source" in closure.requisites()
    assert "/nix/store/0-output" not in closure.requisites()
    assert "/nix/store/0-output" in closure.requisites(outputs=True)
    (file,) = closure.locked_files()
    assert (file.location, file.sha256) == ("pool/a.deb", "00" * 32)


def test_an_overlay_is_said() -> None:
    closure = Closure([".#a"], os.environ)
    assert closure.note == ""
    closure.needs.overlay = {"locks": {}, "moved": ""}
    assert closure.note.startswith("mirror: note: these are of replaced pins")


def test_what_does_not_evaluate(capfd: pytest.CaptureFixture[str]) -> None:
    Path("broken").touch()
    with pytest.raises(MirrorError, match="^nix path-info: Nix says above what is wro"):
        Closure([".#a"], os.environ)
    assert "undefined variable" in capfd.readouterr().err
