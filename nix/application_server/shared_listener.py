"""Listening sockets that several workers share, and how they share them out.

Each time such a socket is ready, asyncio accepts as many connections as its backlog
allows (``BaseSelectorEventLoop._accept_connection``). Whichever worker wakes first takes
all that are waiting and keeps those that stay open, while the others have nothing to do:
sixteen clients that connect together are served by one worker of two, at half the speed.
A worker that takes one connection each time leaves the rest to those that are idle.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any


class SharedListener(socket.socket):
    """A socket that listens already, with the arbiter's backlog, and goes on so."""

    def listen(self, backlog: int = 0) -> None:
        """Leave the queue as long as it is: asyncio would set it to its own backlog."""


def takes_backlog(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop accepts as many connections at once as its backlog.

    Other loops, such as uvloop's, accept until there are none, and set the kernel's
    queue without the socket's own method.
    """
    return isinstance(loop, asyncio.SelectorEventLoop)


def share(listeners: list[Any]) -> None:
    """Put a ``SharedListener`` in the place of Python's socket of each listener.

    ``listeners`` are Gunicorn's wrappers, whose attribute ``sock`` is that socket.
    """
    for listener in listeners:
        if not isinstance(listener.sock, SharedListener):
            listener.sock = SharedListener(fileno=listener.sock.detach())
