"""The health check: finds the server, and says in one line whether it is well."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from .conftest import APPLICATION_SERVER, Server, load_module, wait_for
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = APPLICATION_SERVER / "health_check.py"


@pytest.fixture(scope="module")
def health() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("health_check")
    return module


def run(**variables: str) -> tuple[int, str]:
    """Return the status of the program, and the one line that it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(PROGRAM)],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    [line] = done.stdout.splitlines()
    return done.returncode, line


class Answering:
    """A listener that answers each connection with the same bytes, or not at all."""

    def __init__(self, answer: bytes, listener: socket.socket) -> None:
        self.answer, self.listener = answer, listener
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        connections = []
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                break
            self.requests.append(connection.recv(4096))
            connections.append(connection)
            if self.answer:
                connection.sendall(self.answer)
                connection.close()
        for connection in connections:
            connection.close()

    def stop(self) -> None:
        """Listen no more."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self._thread.join()


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """A function that starts a listener and returns its address in Gunicorn's form."""
    started = []

    def start(answer: bytes, path: str = "") -> str:
        if path:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen()
        else:
            listener = socket.create_server(("127.0.0.1", 0))
        started.append(Answering(answer, listener))
        name = listener.getsockname()
        return f"unix:{name}" if path else f"0.0.0.0:{name[1]}"

    yield start
    for one in started:
        one.stop()


@pytest.mark.parametrize(
    ("status", "without_path", "with_path"),
    [(200, 0, 0), (204, 0, 0), (302, 0, 0), (404, 0, 1), (499, 0, 1), (503, 1, 1)],
)
def test_which_status_is_health(
    answering: Callable[..., str], status: int, without_path: int, with_path: int
) -> None:
    address = answering(b"HTTP/1.1 %d X\r\n\r\n" % status)
    ended, line = run(BIND=address)
    assert ended == without_path and f"status {status}" in line
    assert line.startswith("unhealthy: " if without_path else "healthy: ")
    ended, line = run(BIND=address, HEALTH_CHECK_PATH="/up?x=y")
    assert ended == with_path and "GET /up?x=y" in line


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0\r\n", b"\n", b"HTTP/1.1 x y\r\n", b"x" * 9999]
)
def test_what_is_no_http(answering: Callable[..., str], answer: bytes) -> None:
    ended, line = run(BIND=answering(answer))
    assert ended == 1 and line.startswith("unhealthy: ")


def test_no_answer_in_time(answering: Callable[..., str]) -> None:
    address = answering(b"")
    began = time.monotonic()
    ended, line = run(BIND=address, HEALTH_CHECK_TIMEOUT="1")
    assert (ended, line) == (1, f"unhealthy: GET / of {address}: no answer within 1 s")
    assert time.monotonic() - began < 5


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended, line = run(PORT=str(port))
    assert (ended, line) == (
        1,
        f"unhealthy: GET / of 0.0.0.0:{port}: Connection refused",
    )


def test_a_socket_file(answering: Callable[..., str], tmp_path: Path) -> None:
    address = answering(b"HTTP/1.1 200 OK\r\n", str(tmp_path / "socket"))
    assert run(BIND=address)[0] == 0
    assert run(BIND=f"{address}x")[0] == 1


@pytest.mark.parametrize(
    ("environment", "arguments", "address"),
    [
        ({}, [], "0.0.0.0:80"),
        ({"BIND": "0.0.0.0:80", "PORT": "81"}, [], "0.0.0.0:81"),
        ({"HOST": "::1", "PORT": "81"}, [], "[::1]:81"),
        ({"BIND": "unix:/a, :82", "PORT": "81"}, [], "unix:/a"),
        ({"BIND": ":82", "GUNICORN_CMD_ARGS": "--bind=:83 -b :84"}, [], ":83"),
        ({"GUNICORN_CMD_ARGS": "--bind ':83'"}, ["-b:84"], ":84"),
        ({"GUNICORN_CMD_ARGS": "--workers 3"}, ["--bind"], "0.0.0.0:80"),
    ],
)
def test_where_the_server_listens(
    health: ModuleType, environment: dict[str, str], arguments: list[str], address: str
) -> None:
    assert health.server_address(environment, arguments) == (address, False)


def test_the_address_in_a_user_s_file(health: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "conf.py"
    path.write_text("bind = ['127.0.0.1:85', ':86']\n")
    environment = {"BIND": ":82", "GUNICORN_CONF": str(path)}
    assert health.server_address(environment, []) == ("127.0.0.1:85", False)
    environment["GUNICORN_CMD_ARGS"] = "-b :83 --certfile /x"
    assert health.server_address(environment, []) == (":83", True)
    path.write_text("import missing_module\n")
    assert health.server_address({**environment, "GUNICORN_CMD_ARGS": ""}, []) == (
        *(":82", False),
    )


@given(st.text(), st.lists(st.text()))
def test_any_text_gives_one_address(
    health: ModuleType, bind: str, arguments: list[str]
) -> None:
    address, has_tls = health.server_address({"BIND": bind}, arguments)
    assert "," not in address and isinstance(has_tls, bool)


@pytest.mark.parametrize("address", ["fd://3", "localhost:x", "[::1]:99999"])
def test_addresses_that_cannot_be_asked(address: str) -> None:
    ended, line = run(BIND=address)
    assert ended == 1 and line.startswith("unhealthy: ")


def test_a_real_server(start: Callable[..., Server]) -> None:
    server = start()
    assert wait_for(server.body)
    variables: dict[str, Any] = {"HOST": "127.0.0.1", "PORT": str(server.port)}
    assert run(**variables, HEALTH_CHECK_PATH="/up")[0] == 0
    os.kill(server.worker_pid(), signal.SIGSTOP)
    variables["HEALTH_CHECK_TIMEOUT"] = "1"
    assert run(**variables)[0] == 1
