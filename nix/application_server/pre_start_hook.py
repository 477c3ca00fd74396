"""Runs the user's program that prepares the start of the server, a migration perhaps.

Until Gunicorn's arbiter installs its handlers, nothing handles signals: as process 1 of
a container it would not even notice SIGTERM (pid_namespaces(7)), and ``docker stop``
would have to wait and kill. While the hook runs, its signals are handled here.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from types import FrameType
from typing import Any

from log_lines import tell
from setting_errors import INVALID_CONFIGURATION

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
STATUS_OF_SIGNAL = 128
TERMINATION_SECONDS = 1.0
STOPPED = 0


class Hook:
    """One run of the hook, in a session of its own.

    Signals go to all processes of the session's group: a shell that waits for a program
    would put off its own ``trap`` until that program ends. Shells ignore SIGQUIT, and
    SIGINT for programs in the background: SIGTERM follows a second later. ``grace`` is
    the time in seconds that the hook has for its end; then the whole group is killed.
    """

    def __init__(self, path: str, grace: float) -> None:
        self.path = path
        self.stopped_by: int | None = None
        self.was_killed = False
        self._grace = grace
        self._termination_is_due = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Run the hook and return its status, negative for the signal that ended it.

        Raises ``OSError`` if it cannot be started. Call it in the main thread, which
        alone can handle signals.
        """
        with self._handlers():
            self._process = subprocess.Popen([self.path], start_new_session=True)
            if self.stopped_by is not None:
                self._forward(self.stopped_by)
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            if self.stopped_by is not None:
                self._signal_group(signal.SIGKILL)
            return self._process.wait()

    @contextlib.contextmanager
    def _handlers(self) -> Iterator[None]:
        handlers: dict[int, Any] = {
            number: signal.signal(number, self._stop) for number in STOP_SIGNALS
        }
        handlers[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._insist)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        is_first = self.stopped_by is None
        self.stopped_by = self.stopped_by or number
        if self._process is not None:
            self._forward(number, is_first)

    def _forward(self, number: int, is_first: bool = True) -> None:
        self._signal_group(number)
        if not is_first:
            return
        if number != signal.SIGTERM and self._grace > TERMINATION_SECONDS:
            self._termination_is_due = True
            signal.setitimer(signal.ITIMER_REAL, TERMINATION_SECONDS)
        elif self._grace > 0:
            signal.setitimer(signal.ITIMER_REAL, self._grace)
        else:
            self._insist(signal.SIGALRM, None)

    def _insist(self, number: int, frame: FrameType | None) -> None:
        if self._termination_is_due:
            self._termination_is_due = False
            self._signal_group(signal.SIGTERM)
            rest = self._grace - TERMINATION_SECONDS
            signal.setitimer(signal.ITIMER_REAL, rest)
        else:
            self.was_killed = True
            self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)


def why_not_started(path: str, error: OSError) -> str:
    """Return why a program could not be started, with what it most probably takes.

    "No such file" is then about the interpreter in the first line, for the path itself
    was checked before.
    """
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        try:
            with open(path, "rb") as file:
                line = file.readline(200).rstrip(b"\n").decode("utf-8", "replace")
        except OSError:
            return reason
        return f"{reason}: its first line asks for an interpreter, {line!r}"
    if error.errno == errno.ENOEXEC:
        return f"{reason}: a script begins with #! and its interpreter, as in #!/bin/sh"
    return reason


def run_pre_start_hook(path: str, grace: float) -> int | None:
    """Run the hook; return ``None`` if the server may start, else its exit status.

    The status of a hook that failed is the server's, 128 and the number for one that
    was ended by a signal, as shells have it. A server that is asked to stop while the
    hook runs ends with 0, whatever the hook makes of it: that is the status with which
    it ends once it serves, so that who stops a container sees success in both cases and
    a restart policy for failures (``docker run --restart on-failure``) lets it be.

    One line on the standard error stream tells why the server does not start.
    """
    hook = Hook(path, grace)
    result: int | None = STOPPED
    try:
        status = hook.run()
    except OSError as error:
        told = f"cannot be started: {why_not_started(path, error)}"
        result = INVALID_CONFIGURATION
    else:
        if hook.stopped_by is not None:
            end = "was killed" if hook.was_killed else "has ended"
            told = f"{end} after {signal_name(hook.stopped_by)}, the server with it"
        elif status < 0:
            told = f"was ended by {signal_name(-status)}: the server does not start"
            result = STATUS_OF_SIGNAL - status
        elif status > 0:
            told = f"has failed with status {status}: the server does not start"
            result = status
        else:
            return None
    tell(
        f"PRE_START_PATH={path!r} {told}", logging.ERROR if result else logging.WARNING
    )
    return result


def signal_name(number: int) -> str:
    """Return a signal's name, or its number where it has none (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
