"""The words of ./mirror."""

from __future__ import annotations

import arguments
import pytest
from errors import MirrorError


@pytest.mark.parametrize(
    "words",
    [[], ["--version"], ["-h"], ["build", ".#a", "--", "-x"], ["fetch"], ["--locked"]],
)
def test_the_words_of_nix_are_left_alone(words: list[str]) -> None:
    asked, rest = arguments.parse(["nix", *words])
    assert (asked.command, asked.locked, rest) == ("nix", False, words)


def test_the_option_before_the_command() -> None:
    asked, rest = arguments.parse(["--locked", "nix", "build", "-L"])
    assert (asked.command, asked.locked, rest) == ("nix", True, ["build", "-L"])


def test_the_other_commands() -> None:
    asked, rest = arguments.parse(["fetch", ".#a", ".#b"])
    assert (asked.command, asked.installables, rest) == ("fetch", [".#a", ".#b"], [])
    asked, _ = arguments.parse(["archive", "folder"])
    assert (asked.folder, asked.installables) == ("folder", [])
    asked, _ = arguments.parse(["cache", "file:///a", ".#a"])
    assert (asked.target, asked.installables) == ("file:///a", [".#a"])
    asked, _ = arguments.parse(["lock", "--check"])
    assert (asked.sets, asked.check) == ([], True)
    asked, _ = arguments.parse(["lock", "glibc", "python39"])
    assert (asked.sets, asked.check) == (["glibc", "python39"], False)
    assert arguments.parse([])[0].command is None


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["build", ".#a"],
            "there is no command 'build': ./mirror nix build .#a, or see",
        ),
        (["--lock", "nix"], "unrecognized arguments: --lock: see ./mirror --help"),
        (["archive"], "the following arguments are required: FOLDER: see ./mirror"),
        (["lock", "--check", "glibc"], "--check is of all sets: ./mirror lock --check"),
        (["lock", "--chek"], "unrecognized arguments: --chek: see ./mirror"),
    ],
)
def test_what_is_wrong_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(MirrorError) as caught:
        arguments.parse(words)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
