"""Lets one worker alone tell that the application cannot be loaded.

Several workers load the same application and fail for the same reason, one after the
other. The first failure ends the server; a second one tells the same again, and makes
newer arbiters fall over their own stopping (seen with Gunicorn 27.0: a traceback in the
place of the exit status).
"""

from __future__ import annotations

import os


class FirstFailure:
    """A token that one process out of a family can take, the first that asks for it.

    Make it in the parent, before it forks. The token is the one byte in a pipe.
    """

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        os.write(writer, b"1")
        os.close(writer)

    def is_mine(self) -> bool:
        """Return whether this call, of all calls in all processes, is the first one."""
        return os.read(self._reader, 1) == b"1"
