"""Reads the words of a `nix` command: which are options, and what they are for.

Nix's own parser is followed (Nix manual, each command's "Options"): options may stand
anywhere, `-Lo out` is `-L -o out`, and every setting of nix.conf is an option as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Whether each setting, without dashes, takes a value.
Settings = Mapping[str, bool]

ALL_THE_REST = -1

# Options that change what is evaluated, by the number of their values.
EVALUATION = {
    "--arg": 2,
    "--arg-from-file": 2,
    "--argstr": 2,
    "--eval-store": 1,
    "--expr": 1,
    "--file": 1,
    "-f": 1,
    "--impure": 0,
    "--include": 1,
    "-I": 1,
    "--inputs-from": 1,
    "--no-registries": 0,
    "--no-update-lock-file": 0,
    "--no-use-registries": 0,
    "--no-write-lock-file": 0,
    "--override-flake": 2,
    "--override-input": 2,
    "--recreate-lock-file": 0,
    "--reference-lock-file": 1,
    "--update-input": 1,
}

# Options that stand for settings, those that are met most; Nix is asked for the others.
SETTINGS = {
    "--cores": 1,
    "--fallback": 0,
    "--keep-failed": 0,
    "-K": 0,
    "--keep-going": 0,
    "--max-jobs": 1,
    "-j": 1,
    "--offline": 0,
    "--option": 2,
    "--refresh": 0,
    "--show-trace": 0,
    "--store": 1,
    "--system": 1,
}

# All other options that take values or are met often.
OTHERS = {
    "--apply": 1,
    "--arg-from-stdin": 1,
    "--bundler": 1,
    "--command": ALL_THE_REST,
    "-c": ALL_THE_REST,
    "--debug": 0,
    "--derivation": 0,
    "--dry-run": 0,
    "--exclude": 1,
    "-e": 1,
    "--from": 1,
    "--help": 0,
    "--json": 0,
    "--keep": 1,
    "-k": 1,
    "--keep-env-var": 1,
    "--log-format": 1,
    "--ignore-environment": 0,
    "-i": 0,
    "--no-build": 0,
    "--no-link": 0,
    "--out-link": 1,
    "-o": 1,
    "--output-lock-file": 1,
    "--phase": 1,
    "--print-build-logs": 0,
    "-L": 0,
    "--print-out-paths": 0,
    "--profile": 1,
    "--quiet": 0,
    "--raw": 0,
    "--rebuild": 0,
    "--redirect": 2,
    "--set-env-var": 2,
    "--stdin": 0,
    "--to": 1,
    "--unset": 1,
    "-u": 1,
    "--unset-env-var": 1,
    "--verbose": 0,
    "-v": 0,
    "--version": 0,
    "--write-to": 1,
}

# `-s` sets a variable (2 values) in these, and asks for a size in others.
SHELLS = {"develop", "print-dev-env", "shell"}

# Subcommands whose first positional word alone is an installable.
ONE_INSTALLABLE = {"bundle", "develop", "edit", "print-dev-env", "run", "search"}


@dataclass(frozen=True)
class Command:
    """A `nix` command in parts.

    words: all of it, compound options taken apart.
    subcommand: such as ("build",) or ("flake", "check"); () where there is none.
    place: the index in `words` behind the subcommand, where options can be put in.
    installables: as the user gave them, possibly none.
    evaluation: the options that change what is evaluated, with their values.
    settings: the options that stand for settings of nix.conf, with their values.
    flags: the names of all options.
    """

    words: tuple[str, ...]
    subcommand: tuple[str, ...]
    place: int
    installables: tuple[str, ...]
    evaluation: tuple[str, ...]
    settings: tuple[str, ...]
    flags: frozenset[str]

    def with_options(self, options: Sequence[str]) -> list[str]:
        """The command's words with more options behind the subcommand."""
        return [*self.words[: self.place], *options, *self.words[self.place :]]


def apart(word: str) -> list[str]:
    """A compound option as single ones, as Nix takes it apart.

    >>> apart("-Lj4")
    ['-L', '-j', '4']
    """
    if not re.match(r"-[A-Za-z]", word):
        return [word]
    single: list[str] = []
    for index, letter in enumerate(word[1:], start=1):
        if not (letter.isascii() and letter.isalpha()):
            return [*single, word[index:]]
        single.append(f"-{letter}")
    return single


def setting_values(option: str, settings: Settings) -> int:
    """The number of values of an option that stands for a setting; -1 if it does not.

    `--no-NAME` and `--extra-NAME` stand for settings too (nix.conf(5), "Command line
    flags").
    """
    if not option.startswith("--"):
        return -1
    name = option[2:]
    if name in settings:
        return int(settings[name])
    if name.startswith("no-") and name[3:] in settings or name == "relaxed-sandbox":
        return 0
    if name.startswith("extra-") and name[6:] in settings:
        return 1
    return -1


def read(words: Sequence[str], settings: Callable[[], Settings]) -> Command:
    """Part the words that follow `nix`.

    settings: is asked for Nix's settings once an option is met that no table here has.

    >>> command = read(["-L", "build", ".#image", "--option", "cores", "1"], dict)
    >>> command.subcommand, command.installables, command.settings
    (('build',), ('.#image',), ('--option', 'cores', '1'))
    """
    rest = list(words)
    positional: list[int] = []
    evaluation: list[str] = []
    of_settings: list[str] = []
    flags: set[str] = set()
    index = 0
    while index < len(rest):
        if rest[index] == "--":
            positional += range(index + 1, len(rest))
            break
        if not rest[index].startswith("-") or rest[index] == "-":
            positional.append(index)
            index += 1
            continue
        rest[index : index + 1] = apart(rest[index])
        option = rest[index]
        flags.add(option)
        kept: list[str] = []
        if option in EVALUATION:
            values, kept = EVALUATION[option], evaluation
        elif option in SETTINGS:
            values, kept = SETTINGS[option], of_settings
        elif option in OTHERS:
            values = OTHERS[option]
        elif option == "-s" and positional and rest[positional[0]] in SHELLS:
            values = 2
        else:
            values = setting_values(option, settings())
            kept = of_settings if values >= 0 else []
            values = max(values, 0)
        if values == ALL_THE_REST:
            break
        kept += rest[index : index + 1 + values]
        index += 1 + values
    length = 2 if positional and rest[positional[0]] == "flake" else 1
    subcommand = tuple(rest[place] for place in positional[:length])
    place = positional[: len(subcommand)][-1] + 1 if subcommand else 0
    installables = [rest[place] for place in positional[length:]]
    if subcommand and (subcommand[0] in ONE_INSTALLABLE or length == 2):
        installables = installables[:1]
    if subcommand == ("fmt",):
        installables = []
    return Command(
        words=tuple(rest),
        subcommand=subcommand,
        place=place,
        installables=tuple(installables),
        evaluation=tuple(evaluation),
        settings=tuple(of_settings),
        flags=frozenset(flags),
    )
