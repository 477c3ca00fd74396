"""How a container starts: what it serves, whose settings win, what runs before."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .conftest import PLATFORMS, Container, StartContainer, docker, poll

CLIENT = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = f"{scope['client'][0]} {scope['scheme']}".encode()
        await send({"type": "http.response.body", "body": body})
"""
FORWARDED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}


def report(container: Container) -> Mapping[str, Any]:
    """The settings in force, as the server has printed them."""
    (line,) = [line for line in container.logs().splitlines() if line[:1] == "{"]
    return dict(json.loads(line))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_without_an_application_one_line_says_so(
    start: StartContainer, platform: str
) -> None:
    container = start(platform, served=False)
    assert container.wait() == 3
    (line,) = container.logs().splitlines()
    assert "app.main" in line and "/application_root" in line
    assert "mount or copy" in line and "APP_MODULE" in line


def test_an_empty_mount_is_no_application(
    start: StartContainer, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    mount = ("--volume", f"{tmp_path}:/application_root/app")
    container = start("platform", options=mount, served=False)
    assert container.wait() == 3
    (line,) = container.logs().splitlines()
    assert "app.main" in line


@pytest.mark.parametrize(
    "environment, arguments, bind, workers",
    [
        ({"PORT": "8080"}, (), "0.0.0.0:8080", 1),
        ({"HOST": "127.0.0.1"}, (), "127.0.0.1:80", 1),
        ({"HOST": "::", "PORT": "81"}, (), "[::]:81", 1),
        ({"BIND": "0.0.0.0:82", "PORT": "83"}, (), "0.0.0.0:82", 1),
        ({"WEB_CONCURRENCY": "2"}, (), "0.0.0.0:80", 2),
        ({"WEB_CONCURRENCY": "2", "WORKERS": "3"}, (), "0.0.0.0:80", 3),
        (
            {"WORKERS": "3", "GUNICORN_CMD_ARGS": "--workers 2 --bind 0.0.0.0:84"},
            (),
            "0.0.0.0:84",
            2,
        ),
        ({"GUNICORN_CMD_ARGS": "--workers 2"}, ("--workers", "4"), "0.0.0.0:80", 4),
    ],
)
def test_whose_setting_wins(
    start: StartContainer,
    environment: Mapping[str, str],
    arguments: tuple[str, ...],
    bind: str,
    workers: int,
) -> None:
    container = start("app-example", *arguments, environment=environment, served=False)
    poll(lambda: "{" in container.logs(), "the report")
    told = report(container)
    assert (told["bind"], told["workers"]) == (bind, workers)
    poll(lambda: len(container.worker_pids()) == workers, "the workers")


def test_a_configuration_file_of_the_users_own(
    start: StartContainer, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "own.py").write_text(
        "workers = 2\ntimeout = 77\n\n\ndef on_starting(server):\n"
        "    print('their hook', flush=True)\n"
    )
    container = start(
        "app-example",
        environment={"GUNICORN_CONF": "/own/own.py", "TIMEOUT": "9", "WORKERS": "3"},
        options=("--volume", f"{tmp_path}:/own:ro"),
    )
    assert (report(container)["workers"], report(container)["timeout"]) == (2, 77)
    assert "their hook" in container.logs()


def write_hook(folder: Path, text: str) -> tuple[str, ...]:
    """Write a hook; returns the options that mount it at its default place."""
    folder.chmod(0o755)
    hook = folder / "prestart.sh"
    hook.write_text("#!/bin/sh\n" + text)
    hook.chmod(0o755)
    return ("--volume", f"{hook}:/application_root/prestart.sh:ro")


def test_the_hook_runs_once_before_the_workers(
    start: StartContainer, tmp_path: Path
) -> None:
    mount = write_hook(tmp_path, "echo migrated with $GREETING; touch /tmp/done\n")
    variables = {"GREETING": "care", "WORKERS": "2"}
    container = start("app-example", environment=variables, options=mount)
    container.run("ls", "/tmp/done")
    logs = container.logs()
    assert logs.count("migrated with care") == 1
    assert logs.index("migrated with care") < logs.index("Booting worker")


def test_a_failing_hook_ends_the_container(
    start: StartContainer, tmp_path: Path
) -> None:
    mount = write_hook(tmp_path, "exit 42\n")
    container = start("app-example", options=mount, served=False)
    assert container.wait() == 42
    assert "Booting worker" not in container.logs()


def test_stopping_during_the_hook(start: StartContainer, tmp_path: Path) -> None:
    mount = write_hook(tmp_path, "echo under way\nexec sleep 600\n")
    container = start("app-example", options=mount, served=False)
    poll(lambda: "under way" in container.logs(), "the hook")
    began = time.monotonic()
    docker("stop", "--time", "60", container.identity)
    assert container.wait() == 0
    assert time.monotonic() - began < 20


def test_workers_are_replaced_after_so_many_requests(start: StartContainer) -> None:
    variables = {"MAX_REQUESTS": "5", "MAX_REQUESTS_JITTER": "2"}
    container = start("app-example", environment=variables)
    before = container.worker_pids()

    def replaced() -> bool:
        assert container.answer() == '"Hello World!"'
        return not set(before) & set(container.worker_pids())

    poll(replaced, "another worker")


@pytest.mark.parametrize("allowed, trusted", [("*", True), ("127.0.0.1", False)])
def test_forwarded_headers_count_from_allowed_proxies(
    start: StartContainer, tmp_path: Path, allowed: str, trusted: bool
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "main.py").write_text(CLIENT)
    mount = ("--volume", f"{tmp_path}:/application_root/app:ro")
    variables = {"FORWARDED_ALLOW_IPS": allowed}
    container = start("app-example", environment=variables, options=mount)
    told = container.get(headers=FORWARDED).text
    assert (told == "203.0.113.7 https") == trusted
    assert trusted or told.endswith(" http")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_another_worker_class(
    start: StartContainer, tmp_path: Path, platform: str
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "main.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'WSGI']\n"
    )
    container = start(
        platform,
        environment={"WORKER_CLASS": "gthread"},
        options=("--volume", f"{tmp_path}:/application_root/app:ro"),
    )
    assert container.answer() == "WSGI"
