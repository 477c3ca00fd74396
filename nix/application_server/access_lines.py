"""The access log: a line for each request, and two for each WebSocket.

Uvicorn's own line has no duration, is written when the response begins, and knows
nothing of a client that went away. This one is written by a thin layer around the
application, when the application has finished.

Sources: the ASGI specification, "HTTP & WebSocket ASGI Message Format"; RFC 6455,
section 7.4, for the codes with which WebSockets close.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Optional
from urllib.parse import quote_from_bytes

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

LINE = '%s - "%s %s HTTP/%s" %d'
UNSAFE = re.compile(rb"[^!#-~]|\\")
FIRST_FAILURE = 400
SERVER_ERROR = 500
# nginx's number for a client that went away before there was a response
CLIENT_CLOSED_REQUEST = 499
SWITCHING_PROTOCOLS = 101
FORBIDDEN = 403
NORMAL_CLOSURE = 1000
ABNORMAL_CLOSURE = 1006

logger = logging.getLogger("gunicorn.access")
uvicorn_logger = logging.getLogger("uvicorn.access")
excluded = frozenset(
    path.strip() for path in os.environ.get("ACCESS_LOG_EXCLUDE", "").split(",")
)


def is_wanted(path: str, status: int) -> bool:
    """Return whether a request belongs into the log.

    Left out are the paths of ACCESS_LOG_EXCLUDE, as long as they succeed: that a probe
    fails is worth a line.
    """
    return path not in excluded or status >= FIRST_FAILURE


def client_text(client: Any) -> str:
    """Return a client's address with its port, if that is known.

    >>> client_text(("::1", 80)), client_text(("10.0.0.1", 0)), client_text(None)
    ('[::1]:80', '10.0.0.1', '-')
    """
    if not client:
        return "-"
    host, port = client[0], client[1]
    if not port or port == "0":
        return str(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def path_text(path: bytes, query: bytes) -> str:
    """Return a path with its query, on one line and without quotation marks.

    >>> path_text(b"/a%20b", b'x="1"')
    '/a%20b?x=%221%22'
    """
    whole = path + b"?" + query if query else path
    if UNSAFE.search(whole):
        return quote_from_bytes(whole, safe="/%?&=+:;,@!$'()*[]~#|{}^`<>")
    return whole.decode("ascii")


def write(
    client: str,
    method: str,
    path: str,
    version: str,
    status: int,
    seconds: float,
    **fields: object,
) -> None:
    """Write a line. Where in the code it is written, which takes time, is not found out."""
    record = logging.getLogRecordFactory()(
        logger.name,
        logging.INFO,
        __file__,
        0,
        LINE,
        (client, method, path, version, status),
        None,
    )
    vars(record).update(duration_ms=round(seconds * 1000, 2), **fields)
    logger.handle(record)


def silence_uvicorn() -> None:
    """Turn off Uvicorn's access lines, and what it tells of WebSockets in the error log.

    Uvicorn writes access lines as long as their logger has a handler.
    """
    uvicorn_logger.handlers = []
    uvicorn_logger.propagate = False
    errors = logging.getLogger("uvicorn.error")
    if not any(isinstance(known, NoWebSocketLines) for known in errors.filters):
        errors.addFilter(NoWebSocketLines())


class NoWebSocketLines(logging.Filter):
    """Leaves out Uvicorn's lines about WebSockets that were accepted or refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is any other."""
        text = record.msg
        if record.levelno > logging.INFO or not isinstance(text, str):
            return True
        return not text.startswith(('%s - "WebSocket %s"', "connection "))


class AccessLog:
    """An ASGI application that calls another one and writes the line of each request."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        if scope["type"] == "http" and logger.isEnabledFor(logging.INFO):
            await self._serve_request(scope, receive, send)
        elif scope["type"] == "websocket" and logger.isEnabledFor(logging.INFO):
            await self._serve_websocket(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _serve_request(
        self, scope: Message, receive: Receive, send: Send
    ) -> None:
        began = time.perf_counter()
        # routers of applications change the scope
        path, facts = scope["path"], _facts(scope, scope["method"])
        status = 0

        def note(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        try:
            await self._application(scope, receive, note)
        finally:
            seconds = time.perf_counter() - began
            fields: Any = {}
            # Uvicorn's object for a request and its response
            if getattr(getattr(receive, "__self__", None), "disconnected", False):
                fields["disconnected"] = True
                status = status or CLIENT_CLOSED_REQUEST
            status = status or SERVER_ERROR
            if path not in excluded or status >= FIRST_FAILURE:
                write(*facts, status, seconds, **fields)

    async def _serve_websocket(
        self, scope: Message, receive: Receive, send: Send
    ) -> None:
        began = time.perf_counter()
        path, facts = scope["path"], _facts(scope, "WEBSOCKET")
        status = 0
        code: Optional[int] = None

        def answered(number: int) -> None:
            nonlocal status
            status = number
            if is_wanted(path, status):
                write(*facts, status, time.perf_counter() - began, event="connect")

        async def note(message: Message) -> None:
            nonlocal code
            kind = message["type"]
            await send(message)
            if kind == "websocket.close" and code is None:
                code = message.get("code", NORMAL_CLOSURE)
            if not status:
                if kind == "websocket.accept":
                    answered(SWITCHING_PROTOCOLS)
                elif kind == "websocket.close":
                    answered(FORBIDDEN)
                elif kind == "websocket.http.response.start":
                    answered(message["status"])

        async def receive_and_note() -> Message:
            nonlocal code
            message = await receive()
            if message["type"] == "websocket.disconnect" and code is None:
                code = message.get("code", ABNORMAL_CLOSURE)
            return message

        default = ABNORMAL_CLOSURE
        try:
            await self._application(scope, receive_and_note, note)
            default = NORMAL_CLOSURE
        finally:
            if not status:
                answered(SERVER_ERROR if code is None else CLIENT_CLOSED_REQUEST)
            elif status == SWITCHING_PROTOCOLS and is_wanted(path, status):
                code = default if code is None else code
                seconds = time.perf_counter() - began
                write(*facts, status, seconds, event="close", code=code)


def _facts(scope: Message, method: str) -> tuple[str, str, str, str]:
    # Uvicorn 0.15 has a text for WebSockets
    raw = scope.get("raw_path") or scope["path"]
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "surrogateescape")
    return (
        client_text(scope.get("client")),
        method,
        path_text(raw, scope.get("query_string", b"")),
        scope.get("http_version", "1.1"),
    )
