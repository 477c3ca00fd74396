"""Listening sockets that workers share: each takes some of the connections."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from .conftest import Server, load_module, wait_for

CONNECTIONS = 16
BACKLOG = 77


@pytest.fixture(scope="module")
def shared_listener() -> ModuleType:
    module: ModuleType = load_module("shared_listener")
    return module


@pytest.fixture
def listener() -> Iterator[SimpleNamespace]:
    """A listening socket in a wrapper like Gunicorn's."""
    wrapper = SimpleNamespace(sock=socket.create_server(("127.0.0.1", 0)))
    wrapper.sock.listen(BACKLOG)
    yield wrapper
    wrapper.sock.close()


def longest_queue(sock: socket.socket) -> int:
    """The backlog of a listening socket (tcp(7), TCP_INFO: the member tcpi_sacked)."""
    information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
    return int(struct.unpack_from("I", information, 28)[0])


def test_the_socket_stays_what_it_was(
    shared_listener: ModuleType, listener: SimpleNamespace
) -> None:
    before = listener.sock
    number, address = before.fileno(), before.getsockname()
    shared_listener.share([listener])
    assert isinstance(listener.sock, shared_listener.SharedListener)
    assert (listener.sock.fileno(), listener.sock.getsockname()) == (number, address)
    assert before.fileno() == -1
    after = listener.sock
    shared_listener.share([listener])
    assert listener.sock is after


def test_asyncio_leaves_the_queue_as_long_as_it_was(
    shared_listener: ModuleType, listener: SimpleNamespace
) -> None:
    async def serve() -> int:
        assert shared_listener.takes_backlog(asyncio.get_running_loop())
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, sock=listener.sock, backlog=1
        )
        found = longest_queue(listener.sock)
        server.close()
        return found

    assert longest_queue(listener.sock) == BACKLOG
    shared_listener.share([listener])
    assert asyncio.run(serve()) == BACKLOG


def test_other_loops_are_left_alone(shared_listener: ModuleType) -> None:
    class OtherLoop(asyncio.BaseEventLoop):
        """Like uvloop's: no loop of asyncio's selectors."""

    loop = OtherLoop()
    assert not shared_listener.takes_backlog(loop)
    loop.close()


def test_connections_that_wait_are_shared_out(
    start: Callable[..., Server],
) -> None:
    server = start(WORKERS="2")
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_for(lambda: len([e for e in server.events() if e.startswith("startup")]) == 2)
    workers = [int(worker) for worker in children.read_text().split()]
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    connections = [server.connect() for _ in range(CONNECTIONS)]
    try:
        for connection in connections:
            connection.request("GET", "/block/0.05")
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
        for connection in connections:
            response: http.client.HTTPResponse = connection.getresponse()
            assert (response.status, response.read()) == (200, b"one")
    finally:
        for connection in connections:
            connection.close()
    served = Counter(event for event in server.events() if event.startswith("request"))
    assert set(served) == {f"request {worker}" for worker in workers}
    assert min(served.values()) >= CONNECTIONS // 4
