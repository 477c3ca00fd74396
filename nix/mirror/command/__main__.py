"""The command `./mirror`: Nix, with the package sources of this folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence

import arguments
import command_line
import needed_files
import nix_command
import nix_version
import overlay
import project_folder
import store_access
from errors import MirrorError, one_line

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

    Returns the exit status: 0, that of `lock --check`, or 2 with the help on standard
    error where the words ask for nothing. Raises MirrorError, see there.
    """
    asked, rest = arguments.parse(words)
    if asked.command is None:
        arguments.parser().print_help(sys.stderr)
        return 2
    if asked.locked:
        os.environ[overlay.VARIABLE] = "1"
    install_missing()
    if asked.command == arguments.NIX:
        run_nix(rest)
    elif asked.command == "fetch":
        fetch(asked.installables)
    elif asked.command == "archive":
        import archive

        archive.write(asked.folder, asked.installables, os.environ)
    elif asked.command == "cache":
        import cache

        cache.fill(asked.target, asked.installables, os.environ)
    elif asked.check:
        import lock_check

        return lock_check.check(os.environ)
    else:
        import lock

        lock.lock(asked.sets, os.environ)
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
    except OSError as error:
        place = error.filename or "this machine"
        print(
            one_line(
                f"mirror: {place}: {error.strerror or error}: free some space there, or"
                " run this as a user who may write there; TMPDIR names another folder"
                " for what is temporary"
            ),
            file=sys.stderr,
        )
        sys.exit(1)
    except KeyboardInterrupt as error:
        # Without waiting for the threads of downloads under way.
        number = error.args[0] if error.args else signal.SIGINT
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(128 + number)
