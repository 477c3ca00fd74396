"""The modern example: current packages on another Python than the platform's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .archive import Image
from .conftest import Container, StartContainer, docker, poll

RELOAD_SECONDS = 2.0


def open_echo(container: Container) -> ClientConnection:
    """A WebSocket connection to the example's echo."""
    return connect(f"{container.url.replace('http', 'ws', 1)}/echo", open_timeout=60)


def echo(container: Container, text: str) -> str:
    """What comes back for a text, on a connection of its own."""
    with open_echo(container) as connection:
        connection.send(text)
        return str(connection.recv(timeout=60))


@pytest.fixture(scope="module")
def container(start_for_module: StartContainer) -> Container:
    """The production image's server."""
    return start_for_module("app-example-modern")


def test_the_python_that_was_asked_for(
    container: Container, archives: Mapping[str, Image]
) -> None:
    version = container.python("import platform; print(platform.python_version())")
    assert version.startswith("3.13.")
    assert archives["app-example-modern"].environment["PYTHON_VERSION"] == version


def test_http_is_answered(container: Container) -> None:
    response = container.get()
    assert (response.status_code, response.json()) == (200, "Hello World!")
    assert container.get("/docs").status_code == 200


def test_a_websocket_echoes(container: Container) -> None:
    with open_echo(container) as connection:
        for text in ("one", "zwölf", "x" * 100_000):
            connection.send(text)
            assert connection.recv(timeout=60) == text


def test_the_fast_event_loop_and_parser_serve(container: Container) -> None:
    container.wait_until_served()
    (worker,) = container.worker_pids()
    mapped = container.run("cat", f"/proc/{worker}/maps")
    assert "/uvloop/loop." in mapped
    assert "/httptools/parser/" in mapped


@pytest.mark.parametrize("workers", ["1", "4"])
def test_term_closes_websockets_and_ends(start: StartContainer, workers: str) -> None:
    container = start("app-example-modern", environment={"WORKERS": workers})
    with open_echo(container) as connection:
        connection.send("open")
        assert connection.recv(timeout=60) == "open"
        docker("kill", "--signal", "TERM", container.identity)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=60)
    # RFC 6455's registry: 1012 is "Service Restart"
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
    assert container.wait() == 0


@pytest.fixture
def sources(start: StartContainer, tmp_path: Path) -> Path:
    """The application's files, copied out of the image."""
    container = start("app-example-modern")
    place = f"{container.identity}:/application_root/app"
    docker("cp", place, str(tmp_path / "app"))
    tmp_path.chmod(0o755)
    return tmp_path / "app"


def edit(sources: Path, old: str, new: str) -> None:
    """Replace a text in the application's module, the file at once."""
    main = sources / "main.py"
    part = main.with_suffix(".part")
    text = main.read_text(encoding="utf-8")
    assert old in text
    part.write_text(text.replace(old, new), encoding="utf-8")
    part.chmod(0o644)
    part.rename(main)


def test_an_edit_changes_the_answer_and_the_echo(
    start: StartContainer, sources: Path
) -> None:
    mount = ("--volume", f"{sources}:/application_root/app")
    container = start("app-example-modern-development", options=mount)
    assert echo(container, "text") == "text"
    edit(sources, "Hello World!", "Hello again!")
    poll(
        lambda: container.answer() == '"Hello again!"',
        "the edited answer",
        RELOAD_SECONDS,
    )
    with open_echo(container) as connection:
        connection.send("before")
        assert connection.recv(timeout=60) == "before"
        edit(sources, "send_text(text)", "send_text(text.upper())")
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=60)
    assert poll(lambda: container.answer(), "an answer") == '"Hello again!"'
    assert echo(container, "after") == "AFTER"


def test_its_tests_and_its_format(start: StartContainer) -> None:
    tests = start("app-example-modern-test", served=False)
    assert tests.wait() == 0, tests.logs()
    assert "2 passed" in tests.logs()
    black = start("app-example-modern-black", served=False)
    assert black.wait() == 0, black.logs()
