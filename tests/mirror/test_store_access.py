"""Whether a user may use the store; real users do in tests/machine/test_store_access.py."""

from __future__ import annotations

import errno
import grp
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Optional

import command_line
import pytest
import store_access
from errors import MirrorError

Program = Callable[[str, str], Path]

FAILS = "sys.exit('error: cannot open it')"


@pytest.fixture
def environment(tmp_path: Path, programs: Path) -> dict[str, str]:
    """Of Nix, whose state is nowhere."""
    return {"PATH": str(programs), "NIX_STATE_DIR": str(tmp_path / "state")}


@pytest.fixture
def listener(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> socket.socket:
    """The socket of a daemon that does not listen yet."""
    monkeypatch.chdir(tmp_path)
    environment["NIX_DAEMON_SOCKET_PATH"] = "socket"
    made = socket.socket(socket.AF_UNIX)
    made.bind("socket")
    return made


def complaint(environment: dict[str, str]) -> str:
    with pytest.raises(MirrorError) as caught:
        store_access.check(environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("store", [None, "", "auto", "local"])
def test_who_writes_the_store_is_asked_nothing(
    store: Optional[str], environment: dict[str, str]
) -> None:
    Path(environment["NIX_STATE_DIR"]).mkdir()
    if store is not None:
        environment["NIX_REMOTE"] = store
    store_access.check(environment)


@pytest.mark.parametrize("store", ["", "auto", "daemon"])
def test_who_reaches_a_daemon_is_asked_nothing(
    store: str, environment: dict[str, str], listener: socket.socket
) -> None:
    environment["NIX_REMOTE"] = store
    with listener:
        listener.listen()
        store_access.check(environment)


@pytest.mark.parametrize("store", ["ssh://host", "ssh-ng://host", "https://host"])
def test_stores_elsewhere_are_left_to_nix(
    store: str, environment: dict[str, str]
) -> None:
    store_access.check({**environment, "NIX_REMOTE": store})


@pytest.mark.parametrize("store", ["", "daemon", "local", "/srv/store"])
def test_nix_may_know_better(
    store: str, environment: dict[str, str], program: Program
) -> None:
    program("nix-store", "")
    store_access.check({**environment, "NIX_REMOTE": store})


@pytest.mark.parametrize("stale", [True, False])
def test_no_daemon(
    stale: bool,
    environment: dict[str, str],
    program: Program,
    request: pytest.FixtureRequest,
) -> None:
    program("nix-store", FAILS)
    if stale:
        request.getfixturevalue("listener").close()
    user = store_access.user_name()
    assert complaint(environment) == (
        f"{user} may not write the Nix store, and no Nix daemon runs:"
        " run this as root, or have root run nix-daemon &"
    )
    assert complaint({**environment, "NIX_REMOTE": "daemon"}) == (
        "no Nix daemon runs: have root run nix-daemon &,"
        " or unset NIX_REMOTE and run this as root"
    )


@pytest.mark.parametrize("installed", [True, False])
def test_no_daemon_with_systemd(
    installed: bool,
    environment: dict[str, str],
    program: Program,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program("nix-store", FAILS)
    monkeypatch.setattr(store_access, "SYSTEMD", str(tmp_path))
    monkeypatch.setattr(store_access, "UNITS", (str(tmp_path),))
    if installed:
        (tmp_path / "nix-daemon.socket").touch()
        expected = "have root run systemctl start nix-daemon.socket"
    else:
        user = store_access.user_name()
        expected = "have root run apt-get install nix-setup-systemd"
        expected += f" && usermod -aG nix-users {user}, and log in again"
    assert complaint(environment).endswith(expected)


def test_a_daemon_for_a_group(
    environment: dict[str, str],
    listener: socket.socket,
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program("nix-store", FAILS)
    monkeypatch.setattr(store_access, "connect", lambda daemon: errno.EACCES)
    listener.close()
    user = store_access.user_name()
    try:
        group = grp.getgrgid(os.stat("socket").st_gid).gr_name
    except KeyError:
        group = "nix-users"
    assert complaint(environment).endswith(
        f"the Nix daemon does not serve {user}: run this as root, or have root run"
        f" usermod -aG {group} {user}, and log in again"
    )


def test_a_store_that_was_named(environment: dict[str, str], program: Program) -> None:
    program("nix-store", FAILS)
    assert complaint({**environment, "NIX_REMOTE": "/srv/store"}).endswith(
        " cannot use the Nix store /srv/store (error: cannot open it): run this as"
        " root, or name another one in NIX_REMOTE or by --store"
    )


def test_the_store_of_a_command(environment: dict[str, str], program: Program) -> None:
    program("nix-store", "sys.exit(os.environ['NIX_REMOTE'] != '/srv/store')")
    command = command_line.read(["build", "--store", "/srv/store", ".#a"], dict)
    store_access.prepare(command, environment)
    assert environment["NIX_REMOTE"] == "/srv/store"


@pytest.mark.parametrize(
    "words", [[], ["--version"], ["build", "--help"], ["hash", "file", "x"]]
)
def test_what_needs_no_store(words: list[str], environment: dict[str, str]) -> None:
    store_access.prepare(command_line.read(words, dict), environment)


@pytest.mark.parametrize("words", [["build"], ["flake", "init"], ["store", "gc"]])
def test_what_needs_a_store(
    words: list[str], environment: dict[str, str], program: Program
) -> None:
    program("nix-store", FAILS)
    with pytest.raises(MirrorError, match="may not write the Nix store"):
        store_access.prepare(command_line.read(words, dict), environment)
