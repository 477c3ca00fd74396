"""Closes connections whose client has gone before Uvicorn 0.15 looks at them.

Uvicorn before 0.16 takes a connection from ``asyncio.start_server`` and puts its own
protocol in the place of asyncio's a moment later. The end of the stream that comes in
between is told to the former, which keeps the connection open for writing, and to nobody
else: with uvloop, each empty TCP connection of a load balancer's probe costs a file
descriptor for ever. Newer versions create their protocol with the connection.

Sources: Uvicorn 0.15, ``_handlers/http.py``; ``asyncio.StreamReaderProtocol``.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn.server


def end(transport: asyncio.WriteTransport) -> None:
    """Tell Uvicorn's protocol that its client will send nothing more.

    A request that has come completely gets its response, and then the connection is
    closed; any other one cannot come any more.
    """
    cycle = getattr(transport.get_protocol(), "cycle", None)
    if cycle is None or cycle.response_complete or cycle.more_body:
        transport.close()
    else:
        cycle.keep_alive = False


def minding_early_ends(
    handle: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """Return Uvicorn's handler of a connection, that sees an end that came before it."""

    @functools.wraps(handle)
    async def handle_http(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, **keywords: Any
    ) -> None:
        if writer.transport.is_closing():
            return
        has_ended: bool = reader._eof  # type: ignore[attr-defined]
        if has_ended:
            asyncio.get_running_loop().call_soon(end, writer.transport)
        await handle(reader, writer, **keywords)

    return handle_http


def mend() -> None:
    """Put the handler in the place of Uvicorn's, where there is one; once."""
    server: Any = uvicorn.server
    handle = getattr(server, "handle_http", None)
    if handle is not None and not hasattr(handle, "__wrapped__"):
        server.handle_http = minding_early_ends(handle)
