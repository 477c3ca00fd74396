"""The words of a Nix command."""

from __future__ import annotations

from collections.abc import Sequence

import command_line
import pytest
from command_line import Command, read
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = {"log-lines": True, "eval-cache": False, "platforms": True}


def parse(*words: str) -> Command:
    return read(words, lambda: SETTINGS)


@pytest.mark.parametrize(
    "words, subcommand, installables",
    [
        ([], (), ()),
        (["--version"], (), ()),
        (["build"], ("build",), ()),
        (["build", ".#a", "-o", "out", ".#b"], ("build",), (".#a", ".#b")),
        (["--option", "cores", "1", "build", ".#a"], ("build",), (".#a",)),
        (["--log-format", "raw", "-L", "run", ".#a", "b"], ("run",), (".#a",)),
        (["run", ".#a", "--", "-o", "x"], ("run",), (".#a",)),
        (["shell", ".#a", ".#b", "-c", "ls", "-la"], ("shell",), (".#a", ".#b")),
        (["shell", ".#a", "--command", "--", ".#c"], ("shell",), (".#a",)),
        (["develop", ".#a", "-c", "make"], ("develop",), (".#a",)),
        (["develop", "-s", "A", "b", ".#a"], ("develop",), (".#a",)),
        (["path-info", "-s", ".#a"], ("path-info",), (".#a",)),
        (["flake", "check"], ("flake", "check"), ()),
        (["flake", "-L", "check", ".", "x"], ("flake", "check"), (".",)),
        (["flake"], ("flake",), ()),
        (["fmt", "a.nix"], ("fmt",), ()),
        (["build", "--argstr", "a", "b", ".#a"], ("build",), (".#a",)),
        (["build", "-f", "x.nix", "attribute"], ("build",), ("attribute",)),
        (["build", "-Lo", "out", ".#a"], ("build",), (".#a",)),
        (["build", "-j4", ".#a"], ("build",), (".#a",)),
        (["build", "--log-lines", "9", ".#a"], ("build",), (".#a",)),
        (["build", "--eval-cache", ".#a"], ("build",), (".#a",)),
        (["build", "--no-eval-cache", ".#a"], ("build",), (".#a",)),
        (["build", "--extra-platforms", "i686-linux", ".#a"], ("build",), (".#a",)),
        (["build", "--unheard-of", ".#a"], ("build",), (".#a",)),
        (["build", "--", ".#a"], ("build",), (".#a",)),
    ],
)
def test_subcommand_and_installables(
    words: Sequence[str], subcommand: Sequence[str], installables: Sequence[str]
) -> None:
    command = parse(*words)
    assert command.subcommand == tuple(subcommand)
    assert command.installables == tuple(installables)


def test_options_by_what_they_are_for() -> None:
    command = parse(
        *("build", "-L", "-v", "--impure", "--argstr", "a", "b", "--json"),
        *("--print-out-paths", "--keep-going", "--rebuild", "--no-link", ".#a"),
        *("--option", "cores", "1", "--log-lines", "9", "--out-link", "x"),
        *("--override-input", "a", "path:/b", "--no-sandbox", "--no-eval-cache"),
    )
    assert command.evaluation == (
        *("--impure", "--argstr", "a", "b", "--override-input", "a", "path:/b"),
    )
    assert command.settings == (
        *("--keep-going", "--option", "cores", "1", "--log-lines", "9"),
        "--no-eval-cache",
    )
    assert {"-L", "--json", "--rebuild", "--out-link"} <= command.flags


def test_nix_is_asked_for_its_settings_only_if_need_be() -> None:
    def settings() -> command_line.Settings:
        raise AssertionError("asked")

    read(["build", "-L", "--impure", "--option", "a", "b", ".#a"], settings)


def test_options_are_put_behind_the_subcommand() -> None:
    command = parse("-L", "flake", "check", "--keep-going", "--", "x")
    assert command.with_options(["--a", "b"]) == [
        *("-L", "flake", "check", "--a", "b", "--keep-going", "--", "x")
    ]


def test_words_behind_a_command_are_its_own() -> None:
    command = parse("develop", "-c", "make", "-j4", "--impure")
    assert command.words == ("develop", "-c", "make", "-j4", "--impure")
    assert command.evaluation == ()


WORDS = st.sampled_from(
    ["build", "run", "shell", ".#a", "-L", "-Lv", "-o", "--", "-c", "--option"]
    + ["--impure", "--arg", "flake", "check", "-", "", "-j4", "--log-lines", "x"]
) | st.text(max_size=4)


@given(st.lists(WORDS, max_size=8))
def test_no_word_is_lost(words: list[str]) -> None:
    command = parse(*words)
    apart = [part for word in words for part in command_line.apart(word)]
    assert "".join(command.words).replace("-", "") == "".join(words).replace("-", "")
    assert len(words) <= len(command.words) <= max(len(apart), len(words))
    assert command.with_options([]) == list(command.words)
    assert set(command.installables) <= set(command.words)
    assert command.words[: command.place][-1:] == command.subcommand[-1:]


@given(st.text(min_size=1, max_size=6))
def test_a_compound_option_keeps_its_letters(word: str) -> None:
    parts = command_line.apart(word)
    letters = "".join(part[1:] if part[0] == "-" else part for part in parts)
    assert letters == (word[1:] if word[0] == "-" else word) or parts == [word]
