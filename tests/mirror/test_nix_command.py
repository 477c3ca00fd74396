"""The environment of Nix, the swapped inputs, and Nix's answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import nix_command
import pytest
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st
from nix_command import BASE, Nix
from nix_log import PREFIX
from places import MIRROR_SET

Program = Callable[[str, str], Path]


def test_the_users_settings_stand_last() -> None:
    base = {"HOME": "/h", "NIX_CONFIG": "sandbox = false\ncores = 3"}
    settings = nix_command.environment(base)["NIX_CONFIG"].splitlines()
    assert settings[0] == "experimental-features = nix-command flakes"
    assert settings[-2:] == ["sandbox = false", "cores = 3"]
    assert "sandbox = true" in settings[:-2]
    assert nix_command.environment({"HOME": "/h"})["HOME"] == "/h"


@pytest.mark.parametrize(
    "installable, folder",
    [
        ("", "."),
        (".#image", "."),
        ("./below#a^out", "below"),
        ("./below/deeper", "below"),
        ("path:below#a", "below"),
        ("path:./below?lastModified=1", "below"),
        ("git+file:{}/below#a", "below"),
        ("git+file://{}?dir=below&ref=x#a", "below"),
        ("{}/below", "below"),
    ],
)
def test_the_folder_of_a_flake(
    installable: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "below/deeper").mkdir(parents=True)
    for name in (".", "below"):
        (tmp_path / name / "flake.nix").touch()
    monkeypatch.chdir(tmp_path)
    found = nix_command.flake_folder(installable.format(tmp_path))
    assert found == tmp_path / folder


@pytest.mark.parametrize("elsewhere", ["nixpkgs#hello", "github:a/b#c", "/nix/store/x"])
def test_flakes_elsewhere_have_no_folder(
    elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert nix_command.flake_folder(elsewhere) is None


def lock(**nodes: Any) -> dict[str, Any]:
    """A flake.lock; nodes: the inputs of each."""
    return {
        "root": "root",
        "nodes": {name: {"inputs": inputs} for name, inputs in nodes.items()},
        "version": 7,
    }


PAIR = {"nixpkgs": "nixpkgs", "poetry2nix": "poetry2nix"}


@pytest.mark.parametrize(
    "content, prefixes",
    [
        (lock(root=PAIR), [""]),
        (lock(root={"nixpkgs": "nixpkgs"}), []),
        (lock(root={"base": "base"}, base=PAIR), ["base/"]),
        (lock(root={"b": "base_2", **PAIR}, base_2=PAIR), ["", "b/"]),
        (lock(root={"b": "b", "nixpkgs": ["b", "nixpkgs"]}, b=PAIR), ["b/"]),
        (lock(root={"a": "a"}, a={"b": "b"}, b=PAIR), ["a/b/"]),
        (lock(root={"a": "a"}, a={"b": "a", **PAIR}), ["a/"]),
        ({}, []),
    ],
)
def test_inputs_to_swap(content: dict[str, Any], prefixes: list[str]) -> None:
    assert nix_command.swapped_inputs(content) == prefixes


NAMES = st.sampled_from(["root", "a", "b", "nixpkgs", "poetry2nix"])


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, NAMES | st.lists(NAMES))))
def test_any_lock_is_read_to_its_end(nodes: dict[str, Any]) -> None:
    for prefix in nix_command.swapped_inputs(lock(**nodes)):
        inputs: Any = nodes["root"]
        for name in prefix.split("/")[:-1]:
            inputs = nodes[inputs[name]]
        assert {"nixpkgs", "poetry2nix"} <= set(inputs)


def test_override_options_are_absolute() -> None:
    assert nix_command.override_options(["base/", "base/"], MIRROR_SET) == [
        *("--override-input", "base/nixpkgs", f"path:{MIRROR_SET}"),
        *("--override-input", "base/poetry2nix", f"path:{MIRROR_SET}/poetry2nix"),
    ]


def test_a_path_with_a_space_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout = Path("/a b/nix/mirror")
    monkeypatch.setattr(nix_command, "MIRROR_SET", checkout)
    assert nix_command.override_options([], checkout) == []
    with pytest.raises(MirrorError, match="'/a b/nix/mirror'.* move the project"):
        nix_command.override_options([""], checkout)
    with pytest.raises(MirrorError, match="'/c d/sets/0'.* set XDG_CACHE_HOME to"):
        nix_command.override_options([""], Path("/c d/sets/0"))


def test_overrides_of_several_flakes(tmp_path: Path, program: Program) -> None:
    for name, content in (("a", lock(root=PAIR)), ("b", lock(root={"x": "y"}, y=PAIR))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "flake.nix").touch()
        (tmp_path / name / "flake.lock").write_text(json.dumps(content))
    installables = [f"{tmp_path}/a#x", f"{tmp_path}/a#y", f"{tmp_path}/b", "nixpkgs#z"]
    options = Nix(os.environ).overrides(installables)
    assert options[1::3] == ["nixpkgs", "poetry2nix", "x/nixpkgs", "x/poetry2nix"]


def test_a_flake_without_lock_tells_its_inputs(
    tmp_path: Path, program: Program
) -> None:
    (tmp_path / "flake.nix").touch()
    program("nix", """print('{"base": "path:/x", "other": ""}')""")
    options = Nix(os.environ).overrides([str(tmp_path)])
    assert options[1::6] == ["base/nixpkgs", "other/nixpkgs"]
    inputs = """{"nixpkgs": "", "poetry2nix": "", "other": ""}"""
    program("nix", f"print({inputs!r})")
    assert Nix(os.environ).overrides([str(tmp_path)])[1::3] == ["nixpkgs", "poetry2nix"]
    program("nix", "sys.exit(1)")
    assert Nix(os.environ).overrides([str(tmp_path)]) == []


def test_an_input_of_this_project_becomes_the_checkout(
    tmp_path: Path, program: Program
) -> None:
    (tmp_path / "flake.nix").touch()
    program("nix", f"""print('{{"b": "flake:{BASE}", "other": ""}}')""")
    expected = [
        *("--override-input", "b", nix_command.checkout_reference()),
        *nix_command.override_options(["b/", "other/"], MIRROR_SET),
    ]
    assert Nix(os.environ).overrides([str(tmp_path)]) == expected
    original = {"type": "github", "owner": "somebody", "repo": BASE}
    content = lock(root={"b": "b_2"}, b_2=PAIR)
    content["nodes"]["b_2"]["original"] = original
    (tmp_path / "flake.lock").write_text(json.dumps(content))
    assert Nix({}).overrides([str(tmp_path)]) == [
        *("--override-input", "b", nix_command.checkout_reference()),
        *nix_command.override_options(["b/"], MIRROR_SET),
    ]


@pytest.mark.parametrize(
    "original, reference",
    [
        ({"type": "indirect", "id": BASE}, f"flake:{BASE}"),
        ({"type": "git", "url": f"https://host/{BASE}.git"}, None),
        ({"type": "path", "path": f"/srv/{BASE}"}, None),
        ({}, ""),
    ],
)
def test_locked_references(original: dict[str, str], reference: Optional[str]) -> None:
    expected = list(original.values())[-1] if reference is None else reference
    found = nix_command.locked_reference({"original": original})
    assert found == expected
    assert nix_command.refers_to_base(found) == bool(original)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        BASE,
        f"flake:{BASE}/main",
        f"gitlab:a/{BASE}/{BASE}",
        f"path:/x/{BASE}?dir=y",
    ],
)
def test_references_to_the_project(reference: str) -> None:
    assert nix_command.refers_to_base(reference) == bool(reference)


@pytest.mark.parametrize(
    "reference", ["nixpkgs", f"flake:nixpkgs/{BASE}", f"github:{BASE}/other", "path:/x"]
)
def test_references_elsewhere(reference: str) -> None:
    assert not nix_command.refers_to_base(reference)


def test_a_broken_lock_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "flake.nix").touch()
    (tmp_path / "flake.lock").write_text("<<<<<<< HEAD")
    with pytest.raises(MirrorError, match="flake.lock is no JSON.*git checkout"):
        Nix({}).overrides([str(tmp_path)])


@pytest.mark.parametrize("status", [0, 1])
def test_what_is_unbuilt(program: Program, status: int) -> None:
    record = {"action": "msg", "msg": "  /nix/store/0-a.drv"}
    program(
        "nix",
        "if arguments[-3:] != ['--log-format', 'internal-json', '--keep-going']:\n"
        "    sys.exit('odd')\n"
        f"sys.stderr.write({PREFIX + json.dumps(record)!r}); sys.exit({status})",
    )
    answer = Nix(os.environ).unbuilt([".#a"])
    assert answer.evaluated is (status == 0)
    assert answer.unbuilt == ["/nix/store/0-a.drv"]


def shown(form: str) -> tuple[str, dict[str, Any]]:
    """What Nix shows of two derivations: what comes first, and the JSON."""
    environment = {
        "mirrorFile": json.dumps({"kind": "pypi", "sha256": "00", "location": "a.whl"}),
        "name": "a.whl",
        "out": "/nix/store/0-a.whl",
    }
    file = {"name": "a.whl", "env": environment}
    other = {"name": "b", "env": {"out": "/nix/store/0-b"}}
    if form == "nested":
        return "derivation", {"derivations": {"0a.drv": file, "0b.drv": other}}
    derivations = {"/nix/store/0a.drv": file, "/nix/store/0b.drv": other}
    return ("show-derivation" if form == "old" else "derivation"), derivations


@pytest.mark.parametrize("form", ["old", "new", "nested"])
def test_locked_files_among_derivations(program: Program, form: str) -> None:
    word, content = shown(form)
    program(
        "nix",
        f"if arguments[0] != {word!r}: sys.exit('no such command')\n"
        f"print({json.dumps(content)!r})",
    )
    (file,) = Nix(os.environ).locked_files(["/nix/store/0a.drv", "/nix/store/0b.drv"])
    assert (file.name, file.store_path) == ("a.whl", "/nix/store/0-a.whl")


def test_derivations_that_the_store_does_not_have_are_left_out(
    program: Program,
) -> None:
    _, content = shown("old")
    program(
        "nix",
        "if '/nix/store/0c.drv' in arguments: sys.exit('error: not valid')\n"
        f"print({json.dumps(content)!r})",
    )
    program("nix-store", "print('/nix/store/0c.drv')")
    nix = Nix(os.environ)
    (file,) = nix.locked_files(["/nix/store/0a.drv", "/nix/store/0c.drv"])
    assert file.name == "a.whl"
    assert nix.locked_files(["/nix/store/0c.drv"]) == []


def test_no_derivations_ask_nothing(programs: Path) -> None:
    assert Nix(os.environ).locked_files([]) == []
    assert Nix(os.environ).unbuilt_derivations([]).evaluated


def test_derivations_that_nix_cannot_show(program: Program) -> None:
    program("nix", "sys.exit('a\\nerror: no such path')")
    program("nix-store", "")
    with pytest.raises(MirrorError, match="^nix derivation show: error: no such path$"):
        Nix(os.environ).locked_files(["/nix/store/0a.drv"])


SETTINGS = {
    "cores": {"value": 0},
    "sandbox": {"value": "true"},
    "fallback": {"value": False},
}


@pytest.mark.parametrize("words", [["show-config"], ["config", "show"]])
def test_settings_are_asked_for_once(program: Program, words: list[str]) -> None:
    log = program(
        "nix",
        f"if arguments[:{len(words)}] != {words}: sys.exit(1)\n"
        f"print({json.dumps(SETTINGS)!r})",
    ).with_name("nix.log")
    nix = Nix(os.environ)
    expected = {"cores": True, "sandbox": False, "fallback": False}
    assert nix.settings() == nix.settings() == expected
    assert len(log.read_text().splitlines()) == len(words)


def test_input_derivations(program: Program) -> None:
    program("nix", "print('/nix/store/0-a.drv')")
    program("nix-store", "print('/nix/store/0-b.drv\\n/nix/store/0-source')")
    assert Nix(os.environ).input_derivations([".#a"]) == ["/nix/store/0-b.drv"]
    program("nix", "sys.exit(1)")
    assert Nix(os.environ).input_derivations([".#a"]) == []


def test_half_a_character_that_nix_prints(program: Program) -> None:
    program("nix", "os.write(1, b'a \\xe2\\x82'); os.write(2, b'\\xe2 b')")
    done = Nix(os.environ).run([], quiet=True)
    assert (done.stdout, done.stderr) == ("a \ufffd", "\ufffd b")


def test_without_nix(programs: Path) -> None:
    with pytest.raises(MirrorError, match="^no nix on this machine: apt-get"):
        Nix(os.environ).run([])
    with pytest.raises(MirrorError, match="^no nix on this machine: apt-get"):
        Nix(os.environ).replace([])


def test_attribute_names(program: Program) -> None:
    program("nix", """print('["a", "b"]')""")
    assert Nix(os.environ).attribute_names([".#checks"]) == ["a", "b"]
    program("nix", "sys.exit(1)")
    assert Nix(os.environ).attribute_names([".#checks"]) == []
