"""Whether this user may use the Nix store, before anything is tried with it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import re
import socket
from collections.abc import Mapping, MutableMapping
from pathlib import Path

import program
from command_line import Command
from errors import MirrorError

# Where Nix keeps its state (Nix manual, "Common Environment Variables").
STATE = "/nix/var/nix"

# Seconds for a daemon to take a connection.
CONNECT_SECONDS = 5.0

# What Debian's nix-setup-systemd brings, and the group whose members may use the daemon.
UNITS = ("/lib/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/system")
SYSTEMD = "/run/systemd/system"
GROUP = "nix-users"

# Stores on other machines, of which only Nix can say whether they can be used.
ELSEWHERE = re.compile(r"(ssh|ssh-ng|https?|s3)://")

# Subcommands that work without a store.
WITHOUT_STORE = {"config", "daemon", "doctor", "hash", "help", "key", "show-config"}


def prepare(command: Command, environment: MutableMapping[str, str]) -> None:
    """Have every program of Nix use the store that a command names, and check it.

    environment: in which they run; its NIX_REMOTE becomes the value of `--store`.
    Raises MirrorError as check does.
    """
    subcommand = command.subcommand
    if not subcommand or {"--help", "--version"} & command.flags:
        return
    if subcommand[0] in WITHOUT_STORE:
        return
    store = named_store(command.settings)
    if store:
        environment["NIX_REMOTE"] = store
    check(environment)


def named_store(settings: tuple[str, ...]) -> str:
    """The store that options name, the last one of them; "" where none does.

    >>> named_store(("--option", "store", "/a", "--store", "daemon", "--offline"))
    'daemon'
    """
    found = ""
    for index, word in enumerate(settings):
        if word == "--store":
            found = settings[index + 1]
        elif word == "--option" and settings[index + 1] == "store":
            found = settings[index + 2]
    return found


def check(environment: Mapping[str, str]) -> None:
    """Raise MirrorError where this user can neither write the store nor reach a daemon.

    environment: in which Nix runs. Nix tries the same (Nix manual, "Store types"), and is
    asked itself where that fails, as newer ones then use a folder of the user's own.
    """
    store = environment.get("NIX_REMOTE", "")
    if ELSEWHERE.match(store):
        return
    state = Path(environment.get("NIX_STATE_DIR") or STATE)
    daemon = Path(
        environment.get("NIX_DAEMON_SOCKET_PATH") or state / "daemon-socket/socket"
    )
    refusal = 0
    if store in ("", "auto", "local") and os.access(state, os.R_OK | os.W_OK):
        return
    if store in ("", "auto", "daemon"):
        refusal = connect(daemon)
        if not refusal:
            return
    # A question that no store is spared: some are opened only once they are asked.
    path = f"{environment.get('NIX_STORE_DIR') or '/nix/store'}/{'0' * 32}-none"
    words = ["nix-store", "--check-validity", "--print-invalid", path]
    done = program.run(words, "apt-get install nix-bin", environment)
    if done.returncode == 0:
        return
    user = user_name()
    if store not in ("", "auto", "daemon"):
        raise MirrorError(
            f"{user} cannot use the Nix store {store} ({program.cause(done.stderr)}):"
            " run this as root, or name another one in NIX_REMOTE or by --store"
        )
    what, fix = trouble(daemon, refusal, user)
    if store == "daemon":
        raise MirrorError(f"{what}: {fix}, or unset NIX_REMOTE and run this as root")
    raise MirrorError(
        f"{user} may not write the Nix store, and {what}: run this as root, or {fix}"
    )


def connect(daemon: Path) -> int:
    """Connect to a daemon's socket; returns 0, or why that cannot be (errno(3))."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(CONNECT_SECONDS)
        try:
            client.connect(str(daemon))
        except OSError as error:
            return error.errno or errno.EAGAIN
    return 0


def trouble(daemon: Path, refusal: int, user: str) -> tuple[str, str]:
    """What is wrong with a daemon that cannot be reached, and what fixes it.

    refusal: why its socket cannot be connected to (errno(3)).
    """
    if refusal == errno.EACCES:
        return (
            f"the Nix daemon does not serve {user}",
            f"have root run usermod -aG {group_of(daemon)} {user}, and log in again",
        )
    start = "nix-daemon &"
    if Path(SYSTEMD).exists():
        start = "systemctl start nix-daemon.socket"
        if not any(Path(unit, "nix-daemon.socket").exists() for unit in UNITS):
            start = (
                f"apt-get install nix-setup-systemd && usermod -aG {GROUP} {user},"
                " and log in again"
            )
    return "no Nix daemon runs", f"have root run {start}"


def group_of(daemon: Path) -> str:
    """The group whose members may connect to a daemon."""
    folder = daemon.parent
    guarded = daemon if os.access(folder, os.X_OK) else folder
    try:
        return grp.getgrgid(guarded.stat().st_gid).gr_name
    except (OSError, KeyError):
        return GROUP


def user_name() -> str:
    """The name of this process's user, or the number where it has none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"
