"""The access log: one line for a request, whatever becomes of it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from .conftest import Server, load_module, wait_for
from hypothesis import given
from hypothesis import strategies as st

APPLICATION = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    path = scope["path"]
    scope["path"] = "/changed"
    if scope["type"] == "websocket":
        await receive()
        if path == "/refused":
            await send({"type": "websocket.close"})
            return
        if path == "/broken":
            raise ValueError("broken")
        await send({"type": "websocket.accept"})
        if path == "/closing":
            await send({"type": "websocket.close", "code": 4000})
        elif path == "/failing":
            raise ValueError("failing")
        else:
            while (await receive())["type"] != "websocket.disconnect":
                pass
        return
    if path == "/fail":
        raise ValueError("fail")
    if path == "/wait":
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    status = 503 if path == "/sick" else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    if path == "/stream":
        for _ in range(3):
            part = {"type": "http.response.body", "body": b"x", "more_body": True}
            await send(part)
            await asyncio.sleep(0.1)
    if path == "/endless":
        part = {"type": "http.response.body", "body": b"x", "more_body": True}
        await send(part)
        while (await receive())["type"] != "http.disconnect":
            pass
    if path == "/fail-late":
        raise ValueError("late")
    await send({"type": "http.response.body", "body": b"ok"})
"""
Start = Callable[..., Server]


@pytest.fixture
def server(project: Path, start: Start) -> Iterator[Server]:
    """A server of an application that does what it is asked for."""
    (project / "doing.py").write_text(APPLICATION)
    started = start(
        MODULE_NAME="doing",
        LOG_FORMAT="json",
        ACCESS_LOG_EXCLUDE="/up, /sick",
        FORWARDED_ALLOW_IPS="127.0.0.1",
    )
    assert wait_for(started.body)
    yield started
    started.send(signal.SIGTERM)
    assert started.wait() == 0


def lines(server: Server, path: str, number: int = 1) -> list[dict[str, Any]]:
    """Return the access lines of a path, waiting until there are so many."""

    def found() -> list[dict[str, Any]]:
        told = [json.loads(line) for line in server.output().splitlines()]
        return [line for line in told if line.get("path") == path]

    wait_for(lambda: len(found()) >= number)
    return found()


def send(server: Server, text: str) -> socket.socket:
    """Return a connection on which a request was sent."""
    connection = socket.create_connection(("127.0.0.1", server.port), 20)
    connection.sendall(text.encode())
    return connection


def test_requests(server: Server) -> None:
    assert server.get("/a%20b?c=d")[0] == 200
    [line] = lines(server, "/a%20b?c=d")
    assert (line["method"], line["status"], line["http_version"]) == ("GET", 200, "1.1")
    assert line["client"].startswith("127.0.0.1:")
    assert line["level"] == "info" and "disconnected" not in line
    server.get("/stream")
    [line] = lines(server, "/stream")
    assert line["duration_ms"] > 250
    assert server.get("/fail")[0] == 500
    assert [line["status"] for line in lines(server, "/fail")] == [500]
    with send(server, "GET /fail-late HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        while connection.recv(4096):
            pass
    assert [line["status"] for line in lines(server, "/fail-late")] == [200]


def test_clients_that_went_away(server: Server) -> None:
    with send(server, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert connection.recv(4096)
    [line] = lines(server, "/endless")
    assert (line["status"], line["disconnected"]) == (200, True)
    send(server, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").close()
    [line] = lines(server, "/wait")
    assert (line["status"], line["disconnected"]) == (499, True)


def test_left_out_unless_they_fail(server: Server) -> None:
    server.get("/up?x=y")
    server.get("/up")
    assert server.get("/sick")[0] == 503
    assert [line["status"] for line in lines(server, "/sick")] == [503]
    assert "/up" not in server.output()


def test_the_client_that_a_proxy_tells_of(server: Server) -> None:
    connection = server.connect()
    connection.request("GET", "/proxied", headers={"X-Forwarded-For": "6.6.6.6, ::7"})
    assert connection.getresponse().read() == b"ok"
    connection.close()
    assert [line["client"] for line in lines(server, "/proxied")] == ["::7"]


@pytest.mark.skipif(
    importlib.util.find_spec("websockets") is None, reason="needs uvicorn[standard]"
)
def test_websockets(server: Server) -> None:
    def opened(path: str, number: int) -> list[tuple[Any, ...]]:
        text = (
            f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        with send(server, text) as connection:
            assert connection.recv(4096)
            if path == "/open?a":
                # a close frame of RFC 6455, masked by zeros, code 1001
                connection.sendall(b"\x88\x82\0\0\0\0\x03\xe9")
                assert connection.recv(4096)
        found = lines(server, path, number)
        assert {line["method"] for line in found} == {"WEBSOCKET"}
        return [(line["event"], line["status"], line.get("code")) for line in found]

    assert opened("/open?a", 2) == [("connect", 101, None), ("close", 101, 1001)]
    assert opened("/closing", 2) == [("connect", 101, None), ("close", 101, 4000)]
    assert opened("/failing", 2) == [("connect", 101, None), ("close", 101, 1006)]
    assert opened("/refused", 1) == [("connect", 403, None)]
    assert opened("/broken", 1) == [("connect", 500, None)]
    assert "WebSocket" not in server.errors()


@pytest.fixture(scope="module")
def access() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("access_lines")
    return module


@given(st.binary(), st.binary())
def test_no_path_breaks_a_line(access: ModuleType, path: bytes, query: bytes) -> None:
    text = access.path_text(path, query)
    assert text.isascii() and (text.isprintable() or not text)
    assert '"' not in text and " " not in text


def test_uvicorn_s_lines_of_websockets_are_left_out(access: ModuleType) -> None:
    kept = access.NoWebSocketLines().filter

    def made(message: object, level: int = logging.INFO) -> logging.LogRecord:
        return logging.LogRecord("uvicorn.error", level, "", 0, message, None, None)

    assert not kept(made('%s - "WebSocket %s" [accepted]'))
    assert not kept(made("connection open"))
    assert kept(made("connection lost", logging.ERROR))
    assert kept(made("Started server process [%d]"))
    assert kept(made(ValueError("x")))


def test_other_calls_pass_as_they_are(
    access: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = []

    async def application(*arguments: Any) -> None:
        got.append(arguments)

    logger = SimpleNamespace(isEnabledFor=lambda level: False)
    monkeypatch.setattr(access, "logger", logger)
    calls = [({"type": kind}, 1, 2) for kind in ("lifespan", "http", "websocket")]
    for call in calls:
        asyncio.run(access.AccessLog(application)(*call))
    assert got == calls
