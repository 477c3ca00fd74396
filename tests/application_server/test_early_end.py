"""Connections whose client has gone are closed, however early it went."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from .conftest import Server, load_module, wait_for

CONNECTIONS = 300
LOOPS = """
from application_worker import ApplicationWorker

class Auto(ApplicationWorker):
    pass

class Plain(ApplicationWorker):
    CONFIG_KWARGS = {"loop": "asyncio", "http": "h11"}
"""


@pytest.fixture(scope="module")
def early_end() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("early_end")
    return module


@pytest.mark.parametrize("worker", ["Auto", "Plain"])
def test_empty_connections_leak_no_descriptor(
    project: Path, start: Callable[..., Server], worker: str
) -> None:
    (project / "loops.py").write_text(LOOPS)
    server = start(WORKER_CLASS=f"loops.{worker}", PYTHONPATH=".", ACCESS_LOG="")
    pid = server.worker_pid()

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{pid}/fd"))

    before = descriptors()
    for number in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            if number % 3 == 1:
                reset = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            elif number % 3 == 2:
                connection.sendall(b"GET / HT")
    wait_for(lambda: descriptors() <= before)
    assert server.worker_pid() == pid
    assert "Traceback" not in server.errors()


class Transport:
    """What of a transport is used."""

    def __init__(self, cycle: Any, is_closing: bool = False) -> None:
        self.cycle, self.closing = cycle, is_closing

    def get_protocol(self) -> Any:
        return SimpleNamespace(cycle=self.cycle)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


@pytest.mark.parametrize(
    ("has_ended", "cycle", "closes"),
    [
        (True, None, True),
        (True, {"response_complete": True, "more_body": False}, True),
        (True, {"response_complete": False, "more_body": True}, True),
        (True, {"response_complete": False, "more_body": False}, False),
        (False, None, False),
    ],
)
def test_an_end_that_came_early_is_told(
    early_end: ModuleType, has_ended: bool, cycle: Any, closes: bool
) -> None:
    cycle = cycle and SimpleNamespace(**cycle, keep_alive=True)
    transport = Transport(cycle)
    handled = []

    async def handle(reader: Any, writer: Any, **keywords: Any) -> None:
        handled.append(keywords)
        await asyncio.sleep(0)

    reader = SimpleNamespace(_eof=has_ended)
    writer = SimpleNamespace(transport=transport)
    minding = early_end.minding_early_ends(handle)
    asyncio.run(minding(reader, writer, config=1))
    assert handled == [{"config": 1}]
    assert transport.closing == closes
    if cycle and not closes:
        assert not cycle.keep_alive


def test_a_lost_connection_is_not_handled(early_end: ModuleType) -> None:
    async def handle(reader: Any, writer: Any) -> None:
        pytest.fail("handled")

    writer = SimpleNamespace(transport=Transport(None, is_closing=True))
    asyncio.run(early_end.minding_early_ends(handle)(None, writer))
