"""The command `./mirror`: Nix, with the package sources of this folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence

import command_line
import needed_files
import nix_command
import nix_version
import project_folder
import store_access
from errors import MirrorError

HELP = """\
usage: ./mirror nix WORDS... | fetch [INSTALLABLE...] | lock [SET...]

Runs a Nix command where only mirrors of Debian and PyPI can be reached:

  ./mirror nix build .#image       ./mirror nix flake check       ./mirror nix develop

What it does, in this order:
  1. installs what is missing (nix-bin, git, pip) with apt-get, and says so;
  2. asks Nix, by a dry run, which files of the lock files the command needs and the
     store lacks; fetches those, several at once, and checks each one's SHA-256 before
     it enters the store;
  3. runs the command with the flake's inputs nixpkgs and poetry2nix swapped for
     nix/mirror, the build sandbox on, no substituters. The exit status is Nix's.

Other commands:
  ./mirror fetch [INSTALLABLE...]  only fetch what these need (default: .#image)
  ./mirror lock [SET...]           maintainers: pin the sets of debian/sets.toml anew
                                   with apt, and wheels/requirements.txt (the set
                                   "wheels") with pip; default: all

Where files come from:
  Debian    the archives of apt's sources, in order; before them MIRROR_DEBIAN="URL ..."
  PyPI      pip's configuration files and variables; instead MIRROR_PYPI="URL ..."
Proxies, certificates and credentials are those of apt (auth.conf) and pip (netrc), or
stand in the URLs; none is ever shown. Both are only carriers: what they bring counts by
its SHA-256 alone. A mirror that does not work is left, for the run, for the next one.

NIX_CONFIG is added to this command's settings and wins over them. Downloads under way
lie in $XDG_CACHE_HOME/nix-mirror (~/.cache/nix-mirror); a broken one is continued. What
a mirror served instead of a file is kept there in refused/, for two weeks.
"""

# Subcommands that start programs, Poetry among them.
RUNNING = {"develop", "run", "shell"}

# Seconds that a signal leaves this process to end in order.
SECONDS_TO_END = 2.0


def install_missing() -> None:
    """Install Nix and git where this machine has none.

    Raises MirrorError where that fails, or the Nix that is there is too old.
    """
    packages = {"nix": "nix-bin", "git": "git"}
    missing = [program for program in packages if shutil.which(program) is None]
    if missing:
        import machine

        names = [packages[program] for program in missing]
        machine.install(names, " and ".join(missing))
    nix_version.check(os.environ)


def tell_notes(command: command_line.Command) -> None:
    """Say what Nix does not see of the folders of the flakes that a command names."""
    folders = map(nix_command.flake_folder, command.installables or ["."])
    for folder in dict.fromkeys(folders):
        for note in project_folder.notes(folder, os.environ) if folder else []:
            print(f"mirror: note: {note}", file=sys.stderr)


def may_run_poetry(command: command_line.Command) -> bool:
    """Whether the command starts a program that may be Poetry.

    `nix run` of an attribute of a package, such as `.#image.load`, is none; to read
    pip's configuration for it would take longer than the program itself.
    """
    if command.subcommand[0] != "run" or not command.installables:
        return command.subcommand[0] in RUNNING
    path = needed_files.split_installable(command.installables[0])[1]
    return "." not in path or path.startswith(("apps.", "packages."))


def run_nix(words: Sequence[str]) -> None:
    """`./mirror nix WORDS`: fetch what the command needs, then become it."""
    nix = nix_command.Nix(os.environ)
    command = command_line.read(words, nix.settings)
    store_access.prepare(command, nix.environment)
    if not needed_files.takes_inputs(command):
        nix.replace(words)
    needs = needed_files.Needs(nix, command)
    tell_notes(command)
    needs.fetch()
    if may_run_poetry(command):
        import poetry_settings

        nix.environment.update(poetry_settings.environment(nix.environment))
    nix.replace(needs.words())


def fetch(words: Sequence[str]) -> None:
    """`./mirror fetch INSTALLABLES`: fetch what a `nix build` of these needs."""
    nix = nix_command.Nix(os.environ)
    command = command_line.read(["build", *(words or [".#image"])], nix.settings)
    store_access.prepare(command, nix.environment)
    needs = needed_files.Needs(nix, command)
    tell_notes(command)
    needs.fetch(must_evaluate=True)


def main(words: Sequence[str]) -> int:
    """Run the command.

    Returns the exit status: 0, or 2 with the help on standard error where the words ask
    for nothing. Raises MirrorError, see there.
    """
    command, rest = (words[0] if words else ""), words[1:]
    if command in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if not command:
        print(HELP, end="", file=sys.stderr)
        return 2
    if command not in ("nix", "fetch", "lock"):
        raise MirrorError(
            f"there is no command {command!r}: ./mirror nix {' '.join(words)},"
            " or see ./mirror --help"
        )
    install_missing()
    if command == "lock":
        import lock

        lock.lock(rest, os.environ)
    elif command == "fetch":
        fetch(rest)
    else:
        run_nix(rest)
    return 0


def stop(number: int, frame: object) -> None:
    """End on a signal: what is under way is put in order, such as the terminal.

    A library may swallow the exception; then the process ends SECONDS_TO_END later.
    """
    fallback = threading.Timer(SECONDS_TO_END, os._exit, [128 + number])
    fallback.daemon = True
    fallback.start()
    raise KeyboardInterrupt(number)


def heed_signals() -> None:
    """Let `stop` end this process, but for signals that it was started to ignore."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)


if __name__ == "__main__":
    try:
        heed_signals()
        sys.exit(main(sys.argv[1:]))
    except MirrorError as error:
        print(f"mirror: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt as error:
        # Without waiting for the threads of downloads under way.
        number = error.args[0] if error.args else signal.SIGINT
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(128 + number)
