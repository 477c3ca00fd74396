"""Fixtures: the modules under test, and real Gunicorn servers for real applications."""

from __future__ import annotations

import http.client
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

# Gunicorn 20.1 imports pkg_resources, which warns of its end.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    importlib.import_module("gunicorn.config")

settings.register_profile("unhurried", database=None, deadline=None)
settings.load_profile("unhurried")

APPLICATION_SERVER = Path(__file__).parents[2] / "nix" / "application_server"
CONFIGURATION_FILE = APPLICATION_SERVER / "gunicorn_configuration.py"
DEADLINE = 20.0

APPLICATION = """
import asyncio, os, sys, time
from app.inner.deep.value import VALUE

def note(event):
    with open("events", "a") as events:
        events.write(f"{event} {os.getpid()}\\n")

async def answer(send, text):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            event = message["type"].partition(".")[2]
            note(event)
            await send({"type": f"lifespan.{event}.complete"})
            if event == "shutdown":
                return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    action, _, seconds = scope["path"].strip("/").partition("/")
    if action == "sleep":
        note("request")
        await asyncio.sleep(float(seconds))
    elif action == "block":
        note("request")
        time.sleep(float(seconds))
    elif action == "stream":
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        while True:
            part = {"type": "http.response.body", "body": b"x", "more_body": True}
            await send(part)
            await asyncio.sleep(0.05)
    await answer(send, str(os.getpid()) if action == "pid" else VALUE)
"""


def wait_for(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """Return the first true value of a condition, or fail when the time is up."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.02)


def process_is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended but is not reaped does not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except (FileNotFoundError, ProcessLookupError):
        return False


class Server:
    """A Gunicorn with the configuration under test, in a folder of its own.

    It listens on a port that the system chose: the test opens the socket and Gunicorn
    inherits it, so nobody else can take the port in between.
    """

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        environment = {
            name: value for name, value in os.environ.items() if name == "PATH"
        }
        environment["HOME"] = str(folder)
        environment["BIND"] = f"fd://{self.listener.fileno()}"
        environment["PYTHONUNBUFFERED"] = "1"
        environment.update(variables)
        command = [sys.executable, "-m", "gunicorn", "-c", str(CONFIGURATION_FILE)]
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=[self.listener.fileno()],
            )
        self.listener.close()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the server, yet to be opened by a request."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def get(self, path: str = "/") -> tuple[int, str]:
        """Return status and body of a request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request("GET", path)
            with connection.getresponse() as response:
                return response.status, response.read().decode()
        finally:
            connection.close()

    def body(self, path: str = "/") -> str:
        """Return the body alone, or nothing while the server cannot be reached."""
        try:
            return self.get(path)[1]
        except (OSError, http.client.HTTPException):
            return ""

    def worker_pid(self) -> int:
        """Return the process that serves requests at present, waiting for one."""
        return int(wait_for(lambda: self.body("/pid")))

    def send(self, number: int) -> None:
        """Send a signal to the arbiter."""
        self.process.send_signal(number)

    def events(self) -> list[str]:
        """Return what the applications of all workers have noted, with their pids."""
        path = self.folder / "events"
        return path.read_text().splitlines() if path.exists() else []

    def output(self) -> str:
        """Return what the server has written to its standard output."""
        return (self.folder / "out").read_text()

    def errors(self) -> str:
        """Return what the server has written to its standard error stream."""
        return (self.folder / "err").read_text()

    def wait(self) -> int:
        """Return the exit status, waiting for the server's end."""
        return self.process.wait(DEADLINE)

    def stop(self) -> None:
        """End the arbiter, and its workers as far as it does not do so itself."""
        if self.process.poll() is None:
            children = Path(
                f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            )
            workers = [int(pid) for pid in children.read_text().split()]
            self.process.kill()
            self.process.wait()
            for pid in workers:
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an application that imports a module two packages deep."""
    deep = tmp_path / "app" / "inner" / "deep"
    deep.mkdir(parents=True)
    for folder in (tmp_path / "app", deep.parent, deep):
        (folder / "__init__.py").touch()
    (deep / "value.py").write_text('VALUE = "one"\n')
    (tmp_path / "app" / "main.py").write_text(APPLICATION)
    return tmp_path


@pytest.fixture
def start(project: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts a server for the project and ends it after the test."""
    servers: list[Server] = []

    def start_server(*arguments: str, **variables: str) -> Server:
        servers.append(Server(project, *arguments, **variables))
        return servers[-1]

    yield start_server
    for server in servers:
        server.stop()


def load_module(name: str) -> ModuleType:
    """Import one of the modules under test, which import each other by their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(APPLICATION_SERVER), *sys.path])
        return importlib.import_module(name)


@pytest.fixture(scope="session")
def configuration() -> Iterator[ModuleType]:
    """The configuration module, imported with nothing set in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in (*os.environ,):
            patch.delenv(variable)
        patch.setattr(sys, "path", sys.path.copy())
        module = load_module("gunicorn_configuration")
    yield module


@pytest.fixture(scope="session")
def reloader() -> ModuleType:
    """The reloader module."""
    return load_module("application_reloader")
