"""Each environment variable changes what it should in a running container."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .conftest import ACTING_APPLICATION, Container, StartContainer, docker, poll


@pytest.fixture
def mounts(tmp_path: Path) -> tuple[str, ...]:
    """Options that mount an application, and /logs, which any user may write."""
    tmp_path.chmod(0o755)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text(ACTING_APPLICATION)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs").chmod(0o777)
    return (
        *("--volume", f"{tmp_path}/app:/application_root/app"),
        *("--volume", f"{tmp_path}/logs:/logs"),
    )


def connect(container: Container) -> socket.socket:
    """A connection to port 80 of the container."""
    parts = urlsplit(container.url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=60)
    return connection


def seconds_until_closed(container: Container) -> float:
    """How long a connection stays open after its first answer."""
    with connect(container) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        answered = time.monotonic()
        while connection.recv(65536):
            pass
        return time.monotonic() - answered


def heartbeat_folder(container: Container) -> str:
    """The folder of the file by which a worker shows that it is alive."""
    (pid,) = container.worker_pids()
    listed = container.run("sh", "-c", f"ls -l /proc/{pid}/fd")
    (line,) = [line for line in listed.splitlines() if "wgunicorn-" in line]
    return str(line.partition("-> ")[2].rpartition("/")[0])


def test_workers(start: StartContainer) -> None:
    container = start("app-example", environment={"WORKERS": "3"})
    poll(lambda: len(container.worker_pids()) == 3, "three workers")


def test_bind(start: StartContainer) -> None:
    container = start("app-example", environment={"BIND": "0.0.0.0:8080,0.0.0.0:80"})
    ask = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/').read())"
    )
    assert "Hello World!" in container.python(ask)


def test_timeout(start: StartContainer, mounts: tuple[str, ...]) -> None:
    container = start("app-example", environment={"TIMEOUT": "2"}, options=mounts)
    (before,) = container.worker_pids()
    assert container.answer("/block/60") != "block"
    poll(lambda: container.worker_pids() not in ([], [before]), "another worker")
    assert container.answer("/x") == "x"


@pytest.mark.parametrize("seconds, answered", [("1", False), ("20", True)])
def test_graceful_timeout(
    start: StartContainer, mounts: tuple[str, ...], seconds: str, answered: bool
) -> None:
    variables = {"GRACEFUL_TIMEOUT": seconds}
    container = start("app-example", environment=variables, options=mounts)
    with connect(container) as connection:
        connection.sendall(b"GET /sleep/4 HTTP/1.1\r\nHost: test\r\n\r\n")
        poll(container.is_connected, "the connection")
        docker("kill", "--signal", "TERM", container.identity)
        received = b""
        while True:
            part = connection.recv(65536)
            if not part:
                break
            received += part
    assert (b"sleep" in received) == answered
    assert container.wait() == 0


def test_keep_alive(start: StartContainer) -> None:
    short = start("app-example", environment={"KEEP_ALIVE": "1"})
    longer = start("app-example", environment={"KEEP_ALIVE": "6"})
    assert seconds_until_closed(short) < 4 < seconds_until_closed(longer) < 20


def test_log_level(start: StartContainer) -> None:
    started = "Listening at"
    assert started in start("app-example").logs()
    quiet = start("app-example", environment={"LOG_LEVEL": "warning"})
    assert started not in quiet.logs()
    loud = start("app-example", environment={"LOG_LEVEL": "debug"})
    assert "[DEBUG]" in loud.logs()


@pytest.mark.parametrize(
    "variable, text", [("ACCESS_LOG", "GET /seen"), ("ERROR_LOG", "Listening at")]
)
def test_logs_go_to_a_file_or_nowhere(
    start: StartContainer,
    mounts: tuple[str, ...],
    tmp_path: Path,
    variable: str,
    text: str,
) -> None:
    variables = {variable: "/logs/log"}
    container = start("app-example", environment=variables, options=mounts)
    assert container.answer("/seen") == "seen"
    log = tmp_path / "logs/log"
    poll(lambda: text in log.read_text(), "the line in the file")
    assert text not in container.logs()
    container = start("app-example", environment={variable: ""}, options=mounts)
    assert container.answer("/seen") == "seen"
    docker("stop", container.identity)
    assert text not in container.logs()


@pytest.mark.parametrize("word, replaced", [("yes", True), ("off", False), ("", False)])
def test_reload(
    start: StartContainer,
    mounts: tuple[str, ...],
    tmp_path: Path,
    word: str,
    replaced: bool,
) -> None:
    container = start("app-example", environment={"RELOAD": word}, options=mounts)
    main = tmp_path / "app/main.py"
    main.write_text(main.read_text().replace("action.encode()", "b'edited'"))
    if replaced:
        poll(lambda: container.answer("/x") == "edited", "the edit", 2)
    else:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert container.answer("/x") == "x"


@pytest.mark.parametrize("given, used", [("/tmp", "/tmp"), ("/no/such", "/tmp")])
def test_worker_tmp_dir(start: StartContainer, given: str, used: str) -> None:
    assert heartbeat_folder(start("app-example")) == "/dev/shm"
    container = start("app-example", environment={"WORKER_TMP_DIR": given})
    assert heartbeat_folder(container) == used
    told = [line for line in container.logs().splitlines() if "WORKER_TMP_DIR" in line]
    assert len(told) == (0 if given == used else 1)


def test_no_writable_folder_is_one_line(start: StartContainer) -> None:
    options = ("--read-only", "--tmpfs", "/dev/shm:ro")
    container = start("app-example", options=options, served=False)
    assert container.wait() == 3
    (line,) = container.logs().splitlines()
    assert line.startswith("WORKER_TMP_DIR='/dev/shm' is not allowed: ")


def test_all_bad_values_are_told_at_once(start: StartContainer) -> None:
    bad = {
        "BIND": "nowhere",
        "WORKERS": "0",
        "TIMEOUT": "-1",
        "GRACEFUL_TIMEOUT": "soon",
        "KEEP_ALIVE": "1.5",
        "LOG_LEVEL": "bogus",
        "ACCESS_LOG": "/no/such/folder/log",
        "ERROR_LOG": "/",
        "RELOAD": "maybe",
    }
    container = start("app-example", environment=bad, served=False)
    assert container.wait() == 3
    lines = container.logs().splitlines()
    assert {line.partition("=")[0] for line in lines} == set(bad)
    assert len(lines) == len(bad)
