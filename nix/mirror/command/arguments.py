"""The words of the command `./mirror` itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from errors import MirrorError

DESCRIPTION = """\
Runs a Nix command where only mirrors of Debian and PyPI can be reached:
  ./mirror nix build .#image       ./mirror nix flake check       ./mirror nix develop
What it does, in this order:
  1. installs what is missing (nix-bin, git, pip) with apt-get, and says so;
  2. asks Nix, by a dry run, which files of the lock files the command needs and neither
     the store nor a binary cache has; fetches those, several at once, and checks each
     one's SHA-256 before it enters the store;
  3. runs the command with the flake's inputs nixpkgs and poetry2nix swapped for
     nix/mirror, the build sandbox on. The exit status is Nix's.
"""

EPILOG = """\
Where files come from, in this order:
  MIRROR_FILES="FOLDER_OR_URL ..."   what ./mirror archive wrote
  Debian    MIRROR_DEBIAN="URL ...", then the archives of apt's sources, then possible
            siblings of these, such as debian-security beside debian
  PyPI      pip's configuration files and variables; instead MIRROR_PYPI="URL ..."
Proxies, certificates and credentials are those of apt (auth.conf) and pip (netrc), or
stand in the URLs; none is ever shown. A mirror that does not work is skipped for the run.
A pinned Debian package that is on no mirror any more is replaced by the newest version
that the signed indexes of its release offer, and the command says so; --locked, or
MIRROR_LOCKED=1, refuses instead. The checkout stays as it is.

MIRROR_CACHE=URL and MIRROR_CACHE_KEY=NAME:KEY, as ./mirror cache shows them, name a
binary cache. NIX_CONFIG is added to the settings and wins. $XDG_CACHE_HOME/nix-mirror has what
comes (a broken download is continued), and in refused/ what mirrors served instead.
"""

NIX = "nix"
INSTALLABLES = "what to build, such as .#image"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Raise MirrorError."""
        raise MirrorError(f"{message}: see {self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all words but those of `nix`."""
    plain = argparse.RawDescriptionHelpFormatter
    made = Parser(
        prog="./mirror",
        usage="./mirror [--locked] nix WORDS... | COMMAND ...",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=plain,
        allow_abbrev=False,
    )
    made.add_argument(
        "--locked",
        action="store_true",
        help="refuse where a pinned file is on no mirror any more",
    )
    commands = made.add_subparsers(
        dest="command",
        title="commands",
        metavar="COMMAND",
        prog="./mirror",
        parser_class=Parser,
    )
    commands.add_parser(NIX, help="run a Nix command", add_help=False)
    fetch = commands.add_parser("fetch", help="only fetch what installables need")
    fetch.add_argument(
        "installables",
        metavar="INSTALLABLE",
        nargs="*",
        help=f"{INSTALLABLES}, the default",
    )
    archive = commands.add_parser(
        "archive",
        help="write what installables need into a folder",
        description="Writes all locked files that installables need into a folder, for"
        " MIRROR_FILES.",
    )
    archive.add_argument("folder", metavar="FOLDER", help="where they are to lie")
    cache = commands.add_parser(
        "cache",
        help="build installables, and copy all to a binary cache",
        description="Builds installables, and copies them with all that they are made of"
        " to a binary cache, for MIRROR_CACHE.",
    )
    cache.add_argument(
        "target",
        metavar="TARGET",
        help="what `nix copy --to` takes: file:///FOLDER, ssh://HOST, s3://BUCKET",
    )
    for command in (archive, cache):
        command.add_argument(
            "installables",
            metavar="INSTALLABLE",
            nargs="*",
            default=[],
            help=f"{INSTALLABLES}; default: all outputs of the flake here, checks included",
        )
    lock = commands.add_parser(
        "lock",
        help="maintainers: pin the sets of debian/sets.toml anew",
        description="Pins the sets of debian/sets.toml anew with apt, and"
        ' wheels/requirements.txt (the set "wheels") with pip.',
    )
    lock.add_argument("sets", metavar="SET", nargs="*", help="default: all")
    lock.add_argument(
        "--check",
        action="store_true",
        help="only show which pins are superseded or in no index; status 1 where"
        " something must be done",
    )
    return made


def parse(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Parse the words of ./mirror.

    Returns what argparse made of them, and the words of `nix`, which are Nix's own.
    Raises MirrorError where there is no such command or option.
    """
    words = list(words)
    place = next(
        (index for index, word in enumerate(words) if not word.startswith("-")),
        len(words),
    )
    if words[place : place + 1] == [NIX]:
        return parser().parse_args(words[: place + 1]), words[place + 1 :]
    if words[place : place + 1] == ["help"]:
        words[place] = "--help"
    made = parser()
    known = ("fetch", "archive", "cache", "lock", "--help")
    if place < len(words) and words[place] not in known:
        raise MirrorError(
            f"there is no command {words[place]!r}: ./mirror nix {' '.join(words[place:])},"
            " or see ./mirror --help"
        )
    asked = made.parse_args(words)
    if asked.command == "lock" and asked.check and asked.sets:
        raise MirrorError("--check is of all sets: ./mirror lock --check")
    return asked, []
