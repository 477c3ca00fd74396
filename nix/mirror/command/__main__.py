"""The command `./mirror`: Nix, with the package sources of this folder."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

import nix_command
from errors import MirrorError

HELP = """\
Runs a Nix command where only mirrors of Debian and PyPI can be reached:

  ./mirror nix build .#image       ./mirror nix flake check       ./mirror nix develop

What it does, in this order:
  1. installs what is missing (nix-bin, pip) with apt-get, and says so;
  2. asks Nix, by a dry run, which files of the lock files the command needs and the
     store lacks; fetches those, several at once, and checks each one's SHA-256 before
     it enters the store;
  3. runs the command with the flake's inputs nixpkgs and poetry2nix swapped for
     nix/mirror, the build sandbox on, no substituters. The exit status is Nix's.

Other commands:
  ./mirror fetch [INSTALLABLE...]  only fetch what these need (default: .#image)
  ./mirror lock [SET...]           maintainers: resolve nix/mirror/debian/sets.toml with
                                   apt and nix/mirror/wheels/requirements.txt, pin anew

Where files come from:
  Debian    the archives of apt's sources, in order      before them: MIRROR_DEBIAN="URL ..."
  PyPI      pip's configuration files and variables      instead of it: MIRROR_PYPI=URL
Both are only carriers: what they bring counts by its SHA-256 alone.

NIX_CONFIG is added to this command's settings and wins over them. Downloads under way
lie in $XDG_CACHE_HOME/nix-mirror (~/.cache/nix-mirror); a broken one is continued.
"""


def fetch_needed(nix: nix_command.Nix, words: Sequence[str], folder_words: list[str]) -> None:
    """Fetch what a `nix build` of these words needs.

    A dry run names what is unbuilt. Where the evaluation itself has to build something
    (the choice of wheels is read from a derivation's output), it fails as long as files
    of the mirror set's own tools are missing: those are fetched then, and it is asked
    again.
    """
    import download

    for attempt in range(2):
        evaluated, derivations, _ = nix.unbuilt([*folder_words, *words])
        if evaluated or attempt:
            break
        tools = [f"path:{nix_command.MIRROR_SET}#evaluation"]
        _, unbuilt_tools, _ = nix.unbuilt(tools)
        brought = download.fetch_all(nix.locked_files(unbuilt_tools), nix.environment)
        if not brought:
            break
    download.fetch_all(nix.locked_files(derivations), nix.environment)


def run_nix(words: Sequence[str]) -> None:
    """`./mirror nix WORDS`: fetch what the command needs, then become it."""
    nix = nix_command.Nix(os.environ)
    subcommand, rest, after = nix_command.split_command(words)
    if not nix_command.takes_inputs(subcommand):
        nix.replace(words)
    installables, options = nix_command.part_options(rest)
    reference = (installables or ["."])[0]
    swapped = nix_command.overrides(nix_command.flake_folder(reference))
    if subcommand[0] != "flake":
        fetch_needed(nix, build_words(subcommand, installables, options), swapped)
    elif subcommand[1] == "check":
        checks = f"{reference.split('#')[0]}#checks.x86_64-linux"
        names = nix.attribute_names([*swapped, checks])
        wanted = [f'{checks}."{name}"' for name in names]
        if wanted:
            fetch_needed(nix, wanted, swapped)
    nix.replace([*subcommand, *swapped, *rest, *after])


def build_words(
    subcommand: Sequence[str], installables: Sequence[str], options: Sequence[str]
) -> list[str]:
    """The `nix build` words that build what another subcommand is going to need."""
    if subcommand == ["build"]:
        dropped = {"-o", "--out-link"}
        kept = []
        skip = False
        for word in options:
            if skip:
                skip = False
            elif word in dropped:
                skip = True
            elif word not in ("--rebuild", "--json", "--no-link", "--dry-run"):
                kept.append(word)
        return [*kept, *installables]
    return list(installables)


def main(words: Sequence[str]) -> int:
    """Run the command; returns its exit status, 1 after an error of this command's own."""
    parser = argparse.ArgumentParser(
        prog="./mirror",
        usage="./mirror nix WORDS... | fetch [INSTALLABLE...] | lock [SET...]",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", choices=["nix", "fetch", "lock"])
    parser.add_argument("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    import machine

    missing = [
        package
        for program, package in (("nix", "nix-bin"), ("git", "git"))
        if shutil.which(program) is None
    ]
    if missing:
        machine.install(missing, " and ".join(missing))
    if arguments.command == "lock":
        import lock

        lock.lock_debian(arguments.words)
        if not arguments.words or "busybox" in arguments.words:
            lock.lock_busybox(nix_command.environment(os.environ))
        lock.lock_wheels(os.environ)
    elif arguments.command == "fetch":
        wanted = arguments.words or [".#image"]
        folder = nix_command.flake_folder(wanted[0])
        nix = nix_command.Nix(os.environ)
        fetch_needed(nix, wanted, nix_command.overrides(folder))
    else:
        run_nix(arguments.words)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MirrorError as error:
        print(f"mirror: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
