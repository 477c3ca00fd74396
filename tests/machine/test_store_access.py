"""`./mirror` as users of a machine who may, or may not, use its Nix store."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import make_clone, run

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="starts other users' programs"
)

# nobody, and the group that Debian calls mail: every Debian machine has both.
USER, GROUP = "65534", "8"

# As root in mounts of its own, where /nix is empty: makes a store, does $1 to it, then
# runs the command as the user; $2: the options that say with which groups.
AS_USER = """
mount --bind "$1" /nix || exit 9
export NIX_CONFIG='build-users-group ='
nix-store --check-validity || exit 9
eval "$2"
setpriv --reuid=65534 --regid=65534 $3 env -i PATH="$PATH" HOME="$4" sh -c '
    cd "$HOME/uvicorn-gunicorn-poetry" && shift 4 && "$@"' sh "$@"
status=$?
test -z "$!" || kill "$!"
exit $status
"""

DAEMON = """
mkdir -m 770 /nix/var/nix/daemon-socket
chgrp 8 /nix/var/nix/daemon-socket
nix-daemon 2> /dev/null &
for attempt in $(seq 100); do
    test -S /nix/var/nix/daemon-socket/socket && break
    sleep 0.1
done
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The user's home folder, with a clone in it."""
    folder = Path(tempfile.mkdtemp())
    make_clone(folder)
    run(folder, "chown", "-R", USER, str(folder))
    yield folder
    shutil.rmtree(folder)


def mirror(
    home: Path,
    script: str = "",
    groups: str = "--clear-groups",
    words: tuple[str, ...] = ("nix", "eval", "--expr", "1"),
    **variables: str,
) -> "subprocess.CompletedProcess[str]":
    """Run ./mirror as the user, after a script as root."""
    store = home / "store"
    store.mkdir()
    (store / "var").mkdir()
    settings = [f"{name}={value}" for name, value in variables.items()]
    try:
        done: "subprocess.CompletedProcess[str]" = run(
            home,
            *("unshare", "--mount", "sh", "-c", AS_USER, "sh"),
            *(str(store), script, groups, str(home)),
            *("env", *settings, "./mirror", *words),
            check=False,
        )
        return done
    finally:
        run(home, "chmod", "-R", "u+w", str(store))
        shutil.rmtree(store)


def complaint(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line of the command; what nix-store and nix-daemon warn of is theirs."""
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [
        line for line in done.stderr.splitlines() if not line.startswith("warning:")
    ]
    return line


def test_a_store_of_roots_without_a_daemon(home: Path) -> None:
    line = complaint(mirror(home))
    assert line.startswith(
        "mirror: nobody may not write the Nix store, and no Nix daemon runs:"
        " run this as root, or have root run "
    )
    assert complaint(mirror(home, words=("fetch",))) == line


def test_a_daemon_for_members_of_a_group(home: Path) -> None:
    assert complaint(mirror(home, DAEMON)) == (
        "mirror: nobody may not write the Nix store, and the Nix daemon does not serve"
        " nobody: run this as root, or have root run usermod -aG mail nobody, and log"
        " in again"
    )
    done = mirror(home, DAEMON, f"--groups={GROUP}")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_store_of_the_users_own(home: Path) -> None:
    done = mirror(home, f"chown -R {USER} /nix")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_stores_that_are_named(home: Path) -> None:
    line = complaint(mirror(home, NIX_REMOTE="daemon"))
    assert line.startswith("mirror: no Nix daemon runs: have root run ")
    assert line.endswith(", or unset NIX_REMOTE and run this as root")
    words = ("nix", "eval", "--store", "/root/store", "--expr", "1")
    line = complaint(mirror(home, words=words))
    assert line.startswith(
        "mirror: nobody cannot use the Nix store /root/store (error:"
    )
    done = mirror(home, words=(*words[:3], f"{home}/own", *words[4:]))
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_what_needs_no_store(home: Path) -> None:
    done = mirror(home, words=("nix", "--version"))
    assert done.returncode == 0 and done.stdout.startswith("nix (Nix) ")
