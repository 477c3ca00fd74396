"""What is asked of Nix, and brought, before a command runs."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Optional

import command_line
import download
import healing
import needed_files
import nix_log
import overlay
import pytest
from errors import AbsentFiles, MirrorError
from locked_file import LockedFile
from needed_files import Needs
from nix_command import Nix

Program = Callable[[str, str], Path]

# Lacks a file for `.#image` and for each app, shell and check; its evaluation needs the
# tools where the file `tools` is missing.
FAKE_NIX = """
tools = os.path.exists('tools')
drv = '/nix/store/0-{}.drv'
def log(**record):
    print('@nix ' + json.dumps(record), file=sys.stderr)
def unbuilt(*names):
    for name in names:
        log(action='msg', msg='  ' + drv.format(name))
    sys.exit(0)
if '--keep-going' in arguments:
    del arguments[arguments.index('--log-format'):]
last = arguments[-1]
if arguments[0] == 'eval' and 'builtins.attrNames' in arguments:
    output = last.partition('#')[2].split('.')[0]
    names = {'apps': ['push'], 'devShells': ['default'], 'checks': ['a', 'b.c'],
             'packages': ['image']}
    print(json.dumps(names[output])); sys.exit(0)
if 'path:' in last and last.endswith('#evaluation'):
    if '--dry-run' in arguments and not tools: unbuilt('tool')
    if '--dry-run' not in arguments: open('tools', 'w').close()
    sys.exit(0)
if not tools:
    log(action='start', type=105, fields=[drv.format('tool'), '', 1, 1])
    sys.exit('error: needs the tools')
if os.path.exists('another'):
    log(action='start', type=105, fields=[drv.format('another'), '', 1, 1])
    sys.exit("error: builder failed")
if arguments[0] == 'eval' and '.program' in last:
    print(json.dumps([drv.format('program'), '/nix/store/0-x'])); sys.exit(0)
if arguments[:2] == ['build', '--dry-run']:
    unbuilt(*[word.partition('#')[2] for word in arguments if '#' in word])
if arguments[0] == 'path-info':
    print(drv.format('top')); sys.exit(0)
"""
FAKE_STORE = """
if '--references' in arguments: print('/nix/store/0-below.drv')
if '--realise' in arguments:
    for word in arguments:
        if word.endswith('.drv'):
            record = {'action': 'msg', 'msg': '  ' + word}
            print('@nix ' + json.dumps(record), file=sys.stderr)
"""
TOOL = "/nix/store/0-tool.drv"


@pytest.fixture
def folder(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """In a flake's folder, with that Nix; returns what was brought, list by list."""
    lock = {
        "root": "root",
        "nodes": {"root": {"inputs": {"nixpkgs": "n", "poetry2nix": "p"}}},
    }
    (tmp_path / "flake.nix").touch()
    (tmp_path / "flake.lock").write_text(json.dumps(lock))
    program("nix", textwrap.dedent(FAKE_NIX))
    program("nix-store", textwrap.dedent(FAKE_STORE))
    monkeypatch.chdir(tmp_path)
    brought: list[list[str]] = []

    def locked_files(nix: Nix, derivations: Sequence[str]) -> list[LockedFile]:
        return [LockedFile("pypi", drv, "", "") for drv in derivations]

    def fetch_all(files: Sequence[LockedFile], environment: Any) -> list[LockedFile]:
        brought.append([file.name for file in files])
        return list(files)

    monkeypatch.setattr(Nix, "locked_files", locked_files)
    monkeypatch.setattr(download, "fetch_all", fetch_all)
    return brought


def needs(*words: str) -> Needs:
    nix = Nix(os.environ)
    return Needs(nix, command_line.read(words, nix.settings))


@pytest.mark.parametrize(
    "words, expected",
    [
        (["build", ".#image", "-o", "x", "--json", "--no-link"], ["image"]),
        (["build", ".#a", ".#b", "-L"], ["a", "b"]),
        (["shell", ".#a", "-c", "echo", ".#b"], ["a"]),
        (["run", ".#tool", "x", "--", ".#y"], ["tool"]),
        (["run", ".#push"], ["program"]),
        (["run", ".#push.load"], ["push.load"]),
        (["develop"], ["devShells.x86_64-linux.default"]),
        (["develop", ".#a", "-c", "make"], ["a"]),
        (["print-dev-env", ".#default"], ["devShells.x86_64-linux.default"]),
        (["fmt", "x.nix"], ["formatter.x86_64-linux"]),
        (["build", ".#a", "--rebuild"], ["a", "below"]),
        (["flake", "check"], ['checks.x86_64-linux."a"', 'checks.x86_64-linux."b.c"']),
    ],
)
def test_what_is_brought(
    words: list[str], expected: list[str], folder: list[list[str]]
) -> None:
    needs(*words).fetch()
    tools, *rest = folder
    assert tools == [TOOL]
    assert rest == [[f"/nix/store/0-{name}.drv" for name in expected]]


@pytest.mark.parametrize(
    "words",
    [
        ["build", "--dry-run", ".#image"],
        ["eval", ".#a"],
        ["eval", "--write-to", "x", ".#a"],
        ["repl"],
        ["flake", "show"],
        ["flake", "check", "--no-build"],
    ],
)
def test_what_only_evaluates_needs_the_tools_alone(
    words: list[str], folder: list[list[str]]
) -> None:
    needs(*words).fetch()
    assert folder == [[TOOL]]
    needs(*words).fetch()
    assert folder == [[TOOL]]


@pytest.mark.parametrize(
    "words", [["flake", "metadata"], ["build", "--stdin"], ["flake", "archive"]]
)
def test_what_needs_nothing(words: list[str], folder: list[list[str]]) -> None:
    needs(*words).fetch()
    assert folder == []


@pytest.mark.parametrize(
    "words, expected",
    [
        (["build", ".#image"], ["image"]),
        (["run", ".#push"], ["program"]),
        (["eval", ".#a"], None),
        (["flake", "check"], ['checks.x86_64-linux."a"', 'checks.x86_64-linux."b.c"']),
        (["flake", "check", "--no-build"], None),
    ],
)
def test_what_a_failed_evaluation_wanted_built_is_brought(
    words: list[str],
    expected: Optional[list[str]],
    folder: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("tools").touch()
    Path("another").touch()

    def fetch_all(files: Sequence[LockedFile], environment: Any) -> list[LockedFile]:
        Path("another").unlink(missing_ok=True)
        folder.append([file.name for file in files])
        return list(files)

    monkeypatch.setattr(download, "fetch_all", fetch_all)
    needs(*words).fetch()
    another, *rest = folder
    assert another == ["/nix/store/0-another.drv"]
    brought = [f"/nix/store/0-{name}.drv" for name in expected or []]
    assert rest == ([brought] if expected else [])


def test_what_fails_without_building_brings_no_tools(
    folder: list[list[str]], program: Program, programs: Path
) -> None:
    program("nix", "sys.exit('error: no such output')")
    needs("build", ".#no-such-output").fetch()
    assert folder == []
    assert len(asked(programs)) == 1


def test_what_was_brought_in_vain_is_brought_once(folder: list[list[str]]) -> None:
    Path("tools").touch()
    Path("another").touch()
    needs("build", ".#image").fetch()
    assert folder == [["/nix/store/0-another.drv"]]


def asked(programs: Path) -> list[list[str]]:
    """The commands that the stand-in for Nix was given."""
    return [
        json.loads(line) for line in (programs / "nix.log").read_text().splitlines()
    ]


def test_the_dry_run_has_the_options_that_matter(
    folder: list[list[str]], programs: Path
) -> None:
    Path("tools").touch()
    words = ["--impure", "--argstr", "a", "b", "--option", "cores", "1"]
    one = needs("run", *words, "-L", "-v", "--log-format", "raw", ".#tool")
    one.fetch()
    dry_run = asked(programs)[-1]
    assert dry_run == [
        *("build", "--dry-run", "--no-link", *one.swapped, *words, ".#tool"),
        *nix_log.OPTIONS,
    ]


def test_a_build_asks_nix_once(folder: list[list[str]], programs: Path) -> None:
    Path("tools").touch()
    needs("build", ".#a").fetch()
    assert len(asked(programs)) == 1


def test_the_tools_get_the_users_settings(
    folder: list[list[str]], programs: Path
) -> None:
    one = needs("build", "--option", "sandbox", "false", "--impure", ".#a")
    one.fetch()
    settings = ["--option", "sandbox", "false"]
    assert ["build", "--no-link", *settings, one.evaluation_tools] in asked(programs)


def test_files_and_expressions_are_no_flakes(folder: list[list[str]]) -> None:
    Path("tools").touch()
    one = needs("run", "--file", "x.nix", "push")
    assert one.swapped == []
    one.fetch()
    assert folder == []


def test_what_does_not_evaluate_is_left_to_nix(
    folder: list[list[str]], program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program("nix", "sys.exit('error: undefined variable')")
    needs("build", ".#a").fetch()
    assert folder == [] and capfd.readouterr().err == ""
    with pytest.raises(MirrorError, match="^.#a: Nix says above why"):
        needs("build", ".#a").fetch(must_evaluate=True)
    assert capfd.readouterr().err == "error: undefined variable\n"


def test_tools_that_do_not_build(folder: list[list[str]], program: Program) -> None:
    program(
        "nix",
        "if '--dry-run' in arguments:\n"
        "    record = {'action': 'msg', 'msg': '  /nix/store/0-tool.drv'}\n"
        "    print('@nix ' + json.dumps(record), file=sys.stderr)\n"
        "sys.exit(1)",
    )
    with pytest.raises(MirrorError, match="Nix says above"):
        needs("repl").fetch()


@pytest.mark.parametrize(
    "words, expected",
    [
        (["build"], True),
        (["flake", "check"], True),
        (["flake", "lock"], False),
        (["flake", "update"], False),
        (["flake"], False),
        (["store", "gc"], False),
        (["hash", "file", "x"], False),
        (["--version"], False),
        (["build", "--help"], False),
        ([], False),
    ],
)
def test_commands_whose_inputs_are_swapped(words: list[str], expected: bool) -> None:
    assert needed_files.takes_inputs(command_line.read(words, dict)) is expected


def test_absent_files_are_replaced_and_asked_for_again(
    folder: list[list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("tools").touch()
    healed: list[AbsentFiles] = []
    absent = AbsentFiles("a is on no mirror", [])

    def fetch_all(files: Sequence[LockedFile], environment: Any) -> list[LockedFile]:
        if not healed:
            raise absent
        folder.append([file.name for file in files])
        return list(files)

    def heal(error: AbsentFiles, base: Any) -> None:
        healed.append(error)
        content = {"locks": overlay.checkout_locks(), "moved": "a 1 -> 2"}
        overlay.write(base, content)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "fetch_all", fetch_all)
    monkeypatch.setattr(healing, "heal", heal)
    one = needs("build", ".#a")
    before = one.swapped
    one.fetch()
    assert healed == [absent] and folder == [["/nix/store/0-a.drv"]]
    assert one.swapped != before and str(tmp_path / "cache") in one.words()[-2]


def test_what_stays_absent_is_an_error(
    folder: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tools").touch()
    healed: list[AbsentFiles] = []

    def fetch_all(files: Sequence[LockedFile], environment: Any) -> list[LockedFile]:
        raise AbsentFiles("a is on no mirror", [])

    monkeypatch.setattr(download, "fetch_all", fetch_all)
    monkeypatch.setattr(healing, "heal", lambda error, base: healed.append(error))
    with pytest.raises(AbsentFiles, match="^a is on no mirror$"):
        needs("build", ".#a").fetch()
    assert len(healed) == needed_files.HEALINGS - 1


def test_an_overlay_in_force_is_said(
    folder: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    Path("tools").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content = {"locks": overlay.checkout_locks(), "moved": "a 1 -> 2"}
    overlay.write(os.environ, content)
    needs("build", ".#a").fetch()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("pins that are on no mirror any more were replaced: a 1 -> 2")
    monkeypatch.setenv("MIRROR_LOCKED", "1")
    one = needs("build", ".#a")
    one.fetch()
    assert capfd.readouterr().err == ""
    assert str(tmp_path / "cache") not in " ".join(one.swapped)
