"""The image under the restrictions that operators put on containers."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import requests

from .conftest import Container, StartContainer, docker, poll

# What a container of Kubernetes' "restricted" policy has, and then some.
RESTRICTIONS = {
    "read-only": ("--read-only",),
    "read-only with /tmp": ("--read-only", "--tmpfs", "/tmp"),
    "no capabilities": ("--cap-drop", "ALL"),
    "no new privileges": ("--security-opt", "no-new-privileges"),
    "any user of group 0": ("--user", "123456:0"),
    "any user": ("--user", "123456:123456"),
    "tiny /dev/shm": ("--shm-size", "64k"),
    "no /dev/shm": ("--tmpfs", "/dev/shm:ro"),
    "few processes": ("--pids-limit", "20"),
    "little memory": ("--memory", "96m"),
    "the manifest's": (
        *("--user", "1001:0", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--env", "WORKER_TMP_DIR=/tmp"),
        *("--env", "LOG_FORMAT=json"),
    ),
    "all at once": (
        *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--user", "123456:0"),
        *("--shm-size", "64k"),
    ),
}


@pytest.mark.parametrize("name", list(RESTRICTIONS))
@pytest.mark.parametrize("image", ["app-example", "app-example-modern"])
def test_it_serves_under_restrictions(
    start: StartContainer, image: str, name: str
) -> None:
    container = start(image, options=RESTRICTIONS[name])
    assert container.get().json() == "Hello World!"
    (pid,) = container.worker_pids()
    status = container.run("cat", f"/proc/{pid}/status")
    assert int(re.findall(r"^Uid:\s+(\d+)", status, re.MULTILINE)[0]) > 0
    docker("stop", container.identity)
    assert container.wait() == 0


def test_without_a_network(start: StartContainer) -> None:
    name = "app-example"
    container = start(name, options=("--network", "none"), served=False)
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1/').read())"
    poll(lambda: "Hello World!" in container.run("python", "-c", ask, check=False), "")


def test_a_forbidden_port_is_one_line(start: StartContainer) -> None:
    sysctl = ("--sysctl", "net.ipv4.ip_unprivileged_port_start=1024")
    options = (*sysctl, "--cap-drop", "ALL")
    container = start("app-example", options=options, served=False)
    assert container.wait() == 3
    (line,) = container.logs().splitlines()
    assert line.startswith("port 80 is forbidden to user 1001 here: set PORT=8080")
    mended = start(
        "app-example", environment={"PORT": "8080"}, options=options, served=False
    )
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080').read())"
    poll(lambda: "Hello World!" in mended.run("python", "-c", ask, check=False), "")


CHILDREN = """
import asyncio, subprocess

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/orphans":
        # Each leaves a grandchild behind, which falls to process 1 and ends there.
        for _ in range(20):
            subprocess.run(["sh", "-c", "sleep 0.2 & exit 0"])
    elif scope["path"] == "/sleep":
        await asyncio.sleep(3)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
"""


@pytest.fixture
def mount(tmp_path: Path) -> tuple[str, ...]:
    """Options that mount an application with children."""
    tmp_path.chmod(0o755)
    (tmp_path / "main.py").write_text(CHILDREN)
    return ("--volume", f"{tmp_path}:/application_root/app:ro")


def zombies(container: Container) -> int:
    """The number of ended processes that nobody has waited for (proc(5))."""
    listed = container.run("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null || true")
    states = [line.rpartition(") ")[2][:1] for line in listed.splitlines()]
    return states.count("Z")


def test_no_zombies_are_left(start: StartContainer, mount: tuple[str, ...]) -> None:
    container = start("app-example", options=mount)
    assert container.answer("/orphans") == "done"
    poll(lambda: "sleep" not in container.run("ps"), "the end of the grandchildren")
    poll(lambda: zombies(container) == 0, "no zombies")
    assert container.answer() == "done"


@pytest.mark.parametrize("workers", ["1", "4"])
def test_stopping_with_open_connections(
    start: StartContainer, mount: tuple[str, ...], workers: str
) -> None:
    container = start("app-example", environment={"WORKERS": workers}, options=mount)
    with requests.Session() as kept_alive:
        assert kept_alive.get(container.url).text == "done"
        began = time.monotonic()
        docker("stop", "--time", "60", container.identity)
        assert container.wait() == 0
        assert time.monotonic() - began < 10


def test_a_killed_worker_is_replaced_and_logged(start: StartContainer) -> None:
    container = start("app-example", environment={"WORKERS": "2"})
    poll(lambda: len(container.worker_pids()) == 2, "two workers")
    victim = container.worker_pids()[0]
    container.run("sh", "-c", f"kill -KILL {victim}")
    poll(
        lambda: len(set(container.worker_pids()) - {victim}) == 2,
        "another worker",
    )
    assert str(victim) in container.logs().partition("Booting worker")[2]
