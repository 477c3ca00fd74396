"""A server in operation: variables, restart, signals, a crash, logs; in a user's order."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Optional

import pytest

from .conftest import ACTING_APPLICATION, Container, StartContainer, docker, poll

pytestmark = pytest.mark.core


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to mount as /application_root/app, and one that the server may write."""
    folder = tmp_path_factory.mktemp("operation")
    folder.chmod(0o755)
    (folder / "app").mkdir()
    (folder / "app/main.py").write_text(ACTING_APPLICATION)
    (folder / "logs").mkdir()
    (folder / "logs").chmod(0o777)
    return folder


def mounts(folder: Path) -> tuple[str, ...]:
    """The options of `docker run` that mount both."""
    application = f"{folder}/app:/application_root/app:ro"
    return ("--volume", application, "--volume", f"{folder}/logs:/logs")


@pytest.fixture(scope="module")
def container(start_for_module: StartContainer, folder: Path) -> Container:
    """A server whose variables all differ from their defaults."""
    return start_for_module(
        "app-example",
        environment={
            "WORKERS": "2",
            "TIMEOUT": "20",
            "GRACEFUL_TIMEOUT": "15",
            "KEEP_ALIVE": "5",
            "LOG_LEVEL": "debug",
            "ACCESS_LOG": "/logs/access.log",
            "ERROR_LOG": "-",
            "WORKER_TMP_DIR": "/tmp",
            "BIND": "0.0.0.0:8080,0.0.0.0:80",
        },
        options=mounts(folder),
    )


class Request(threading.Thread):
    """A GET request under way."""

    def __init__(self, container: Container, path: str) -> None:
        super().__init__()
        self.container = container
        self.path = path
        self.text: Optional[str] = None
        self.start()

    def run(self) -> None:
        """Ask, and keep the answer; None where the connection broke."""
        self.text = self.container.answer(self.path)


def test_variables_reach_the_server(container: Container) -> None:
    printed = container.run("python", "/application_server/gunicorn_configuration.py")
    told = json.loads(printed)
    expected = {
        "workers": 2,
        "timeout": 20,
        "graceful_timeout": 15,
        "keepalive": 5,
        "loglevel": "debug",
        "accesslog": "/logs/access.log",
        "errorlog": "-",
        "worker_tmp_dir": "/tmp",
        "bind": "0.0.0.0:8080,0.0.0.0:80",
    }
    assert {name: told[name] for name in expected} == expected
    poll(lambda: len(container.worker_pids()) == 2, "two workers")
    code = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/x').read())"
    )
    assert container.python(code) == "b'x'"


def test_requests_are_logged(container: Container, folder: Path) -> None:
    assert container.answer("/seen") == "seen"
    log = folder / "logs/access.log"
    poll(lambda: "/seen" in log.read_text(), "the access line")
    assert "Starting gunicorn" in container.logs()


def test_usr1_reopens_the_log_and_keeps_the_workers(
    container: Container, folder: Path
) -> None:
    log = folder / "logs/access.log"
    before = container.worker_pids()
    log.rename(log.with_name("access.log.1"))
    docker("kill", "--signal", "USR1", container.identity)
    poll(log.exists, "the reopened log")

    def logged() -> bool:
        container.answer("/reopened")
        return "/reopened" in log.read_text()

    poll(logged, "an access line in the reopened log")
    assert container.worker_pids() == before


def test_hup_replaces_the_workers(container: Container) -> None:
    before = set(container.worker_pids())
    docker("kill", "--signal", "HUP", container.identity)

    def replaced() -> bool:
        assert container.answer() is not None
        now = set(container.worker_pids())
        return len(now) == 2 and not now & before

    poll(replaced, "two new workers")


def test_a_crashed_worker_is_replaced(container: Container) -> None:
    before = container.worker_pids()
    container.run("sh", "-c", f"kill -KILL {before[0]}")

    def replaced() -> bool:
        now = container.worker_pids()
        return len(now) == 2 and before[0] not in now

    poll(replaced, "a new worker")
    assert container.answer() is not None


def test_restart_behaves_the_same(container: Container) -> None:
    def reports() -> list[str]:
        return [line for line in container.logs().splitlines() if line[:1] == "{"]

    first = reports()[0]
    docker("stop", container.identity)
    assert container.wait() == 0
    docker("start", container.identity)
    container.wait_until_served()
    assert reports()[-1] == first
    poll(lambda: len(container.worker_pids()) == 2, "two workers")


def test_term_lets_requests_finish(start: StartContainer, folder: Path) -> None:
    container = start("app-example", options=mounts(folder))
    request = Request(container, "/sleep/3")
    poll(container.is_connected, "the connection")
    began = time.monotonic()
    docker("kill", "--signal", "TERM", container.identity)
    assert container.wait() == 0
    request.join(60)
    assert request.text == "sleep"
    assert time.monotonic() - began < 30


def test_a_blocked_worker_is_replaced(start: StartContainer, folder: Path) -> None:
    # Longer than a worker takes to start in a virtual machine on a busy machine.
    container = start(
        "app-example", environment={"TIMEOUT": "10"}, options=mounts(folder)
    )
    (before,) = container.worker_pids()
    request = Request(container, "/block/60")

    def replaced() -> bool:
        now = container.worker_pids()
        return len(now) == 1 and now != [before]

    poll(replaced, "a new worker")
    request.join(60)
    assert not (request.text or "").startswith("block")
    assert container.answer() is not None


def test_an_application_that_fails_ends_the_container(
    start: StartContainer, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "main.py").write_text("import nothing_of_that_name\n")
    container = start(
        "app-example",
        options=("--volume", f"{tmp_path}:/application_root/app:ro"),
        served=False,
    )
    assert container.wait() != 0
    assert "nothing_of_that_name" in container.logs()
