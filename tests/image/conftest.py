"""Fixtures: the images' archives, and containers under the machine's Docker."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar

import pytest
import requests

from .archive import Image

VARIABLES = {
    "app-example": "APP_EXAMPLE_IMAGE",
    "app-example-edited": "APP_EXAMPLE_EDITED_IMAGE",
    "app-example-development": "APP_EXAMPLE_DEVELOPMENT_IMAGE",
    "app-example-test": "APP_EXAMPLE_TEST_IMAGE",
    "app-example-black": "APP_EXAMPLE_BLACK_IMAGE",
    "app-example-modern": "APP_EXAMPLE_MODERN_IMAGE",
    "app-example-modern-development": "APP_EXAMPLE_MODERN_DEVELOPMENT_IMAGE",
    "app-example-modern-test": "APP_EXAMPLE_MODERN_TEST_IMAGE",
    "app-example-modern-black": "APP_EXAMPLE_MODERN_BLACK_IMAGE",
    "platform": "PLATFORM_IMAGE",
    "platform-full": "PLATFORM_FULL_IMAGE",
    "platform-python311": "PLATFORM_PYTHON311_IMAGE",
    "platform-python311-full": "PLATFORM_PYTHON311_FULL_IMAGE",
    "platform-python313": "PLATFORM_PYTHON313_IMAGE",
    "platform-python313-full": "PLATFORM_PYTHON313_FULL_IMAGE",
}
# The platform images; NAME-full has compilers beside what NAME has.
PLATFORMS = ("platform", "platform-python311", "platform-python313")

DEADLINE = 60.0
LOAD_SECONDS = 240.0

Made = TypeVar("Made")

# Does what the path says, such as /sleep/3 or /block/60, and answers with the action.
ACTING_APPLICATION = """
import asyncio, os, time

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    action, _, seconds = scope["path"].strip("/").partition("/")
    if action == "sleep":
        await asyncio.sleep(float(seconds))
    elif action == "block":
        time.sleep(float(seconds))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": action.encode()})
"""


def poll(holds: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """Ask until the answer is true; returns it. AssertionError after the deadline."""
    end = time.monotonic() + seconds
    while True:
        answer = holds()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def docker(*words: str, check: bool = True) -> str:
    """Run the Docker client; returns what it prints, both streams."""
    done = subprocess.run(
        ["docker", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=2 * DEADLINE,
    )
    assert not check or done.returncode == 0, f"docker {words}: {done.stdout}"
    return done.stdout


@dataclass
class Container:
    """A container that runs, or has run; port 80 of it is published on loopback."""

    identity: str

    @property
    def url(self) -> str:
        """Where its port 80 is published."""
        ports = docker("port", self.identity, "80/tcp").split()
        return f"http://{ports[0]}"

    def get(self, path: str = "/", **options: Any) -> requests.Response:
        """One GET request on a connection of its own."""
        return requests.get(f"{self.url}{path}", timeout=DEADLINE, **options)

    def answer(self, path: str = "/") -> Optional[str]:
        """The body of a GET, None while there is no server."""
        try:
            return str(self.get(path).text)
        except requests.RequestException:
            return None

    def wait_until_served(self) -> None:
        """Until GET / is answered; AssertionError with its log if it ends before."""

        def served() -> bool:
            if not self.state["Running"]:
                pytest.fail(f"the container ended: {self.logs()}")
            return self.answer() is not None

        poll(served, "an answer")

    def logs(self) -> str:
        """All that it has printed."""
        return docker("logs", self.identity)

    @property
    def state(self) -> dict[str, Any]:
        """`docker inspect`'s State."""
        (inspected,) = json.loads(docker("inspect", self.identity))
        return dict(inspected["State"])

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command in it."""
        return docker("exec", self.identity, *words, check=check)

    def python(self, code: str) -> str:
        """Run Python code in it; returns what it prints, stripped."""
        return self.run("python", "-c", code).strip()

    def wait(self) -> int:
        """Until it has ended; returns its exit status."""
        poll(lambda: not self.state["Running"], "the container's end")
        return int(self.state["ExitCode"])

    def is_connected(self) -> bool:
        """Whether a connection to its port 80 is open inside (proc(5), /proc/net/tcp)."""
        rows = [row.split() for row in self.run("cat", "/proc/net/tcp").splitlines()]
        return any(row[1].endswith(":0050") and row[3] == "01" for row in rows[1:])

    def worker_pids(self) -> list[int]:
        """The process ids of Gunicorn's workers, as seen inside."""
        listed = self.run("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null || true")
        found = []
        for line in listed.splitlines():
            pid, _, rest = line.partition(" (")
            if rest.rpartition(") ")[2].split()[1] == "1" and "gunicorn" in rest:
                found.append(int(pid))
        return sorted(found)


class OnDemand(Mapping[str, Made]):
    """By name, what is made when it is first asked for: no test waits for others' images."""

    def __init__(self, names: Iterable[str], make: Callable[[str], Made]) -> None:
        """names: all that there are; make: from a name."""
        self._names = list(names)
        self._make = make
        self._made: dict[str, Made] = {}

    def __getitem__(self, name: str) -> Made:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@pytest.fixture(scope="session")
def archives() -> Mapping[str, Image]:
    """The archives of the images that the environment names, by name."""
    given = {name: os.environ.get(variable) for name, variable in VARIABLES.items()}
    paths = {name: Path(path) for name, path in given.items() if path}
    if not paths:
        pytest.fail("no image archives are named: ./mirror nix run .#docker-tests")
    return OnDemand(paths, lambda name: Image(paths[name]))


@pytest.fixture(scope="session")
def loaded(archives: Mapping[str, Image]) -> Iterator[Mapping[str, str]]:
    """Each image, loaded into Docker: name to identity, the configuration's SHA-256.

    A tag of the session's own keeps it, whatever becomes of the one that it was loaded
    with.
    """
    tags: list[str] = []
    session = f"test-{uuid.uuid4().hex}"

    def load(name: str) -> str:
        image = archives[name]
        with open(image.path, "rb") as archive:
            command = ["docker", "load", "--quiet"]
            subprocess.run(command, stdin=archive, check=True, timeout=LOAD_SECONDS)
        identity = f"sha256:{image.manifest['Config'].partition('.')[0]}"
        tags.append(f"{session}:{name}")
        docker("tag", identity, tags[-1])
        return identity

    yield OnDemand(archives, load)
    if tags:
        docker("image", "rm", *tags, check=False)


class Containers:
    """Starts containers, and removes those that it started."""

    def __init__(self, loaded: Mapping[str, str]) -> None:
        """loaded: each image's name to its identity."""
        self.loaded = loaded
        self.started: list[str] = []

    def start(
        self,
        image: str,
        *arguments: str,
        environment: Optional[Mapping[str, str]] = None,
        options: tuple[str, ...] = (),
        served: bool = True,
    ) -> Container:
        """Run a container with Gunicorn's arguments, variables and options of `docker run`.

        served: wait until it answers.
        """
        name = f"test-{uuid.uuid4().hex}"
        variables = [
            word
            for variable, value in (environment or {}).items()
            for word in ("--env", f"{variable}={value}")
        ]
        self.started.append(name)
        docker(
            *("run", "--detach", "--name", name, "--publish", "127.0.0.1::80"),
            *(*variables, *options, self.loaded[image], *arguments),
        )
        container = Container(name)
        if served:
            container.wait_until_served()
        return container

    def remove(self) -> None:
        """Remove all that was started."""
        if self.started:
            docker("rm", "--force", *self.started)


StartContainer = Callable[..., Container]


@pytest.fixture
def start(loaded: Mapping[str, str]) -> Iterator[StartContainer]:
    """Start containers for one test."""
    containers = Containers(loaded)
    yield containers.start
    containers.remove()


@pytest.fixture(scope="module")
def start_for_module(loaded: Mapping[str, str]) -> Iterator[StartContainer]:
    """Start containers that all tests of a module share."""
    containers = Containers(loaded)
    yield containers.start
    containers.remove()


@pytest.fixture(scope="session")
def platform_application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bare ASGI application, readable by any user."""
    folder = tmp_path_factory.mktemp("platform") / "app"
    folder.mkdir()
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    write_application(folder, "one")
    return folder


def write_application(folder: Path, text: str) -> None:
    """Write a bare ASGI application that answers `text`, replacing the file at once."""
    part = folder / "main.py.part"
    part.write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] != 'http':\n"
        "        return\n"
        "    start = {'type': 'http.response.start', 'status': 200, 'headers': []}\n"
        "    await send(start)\n"
        f"    await send({{'type': 'http.response.body', 'body': b{text!r}}})\n"
    )
    part.chmod(0o644)
    part.rename(folder / "main.py")
