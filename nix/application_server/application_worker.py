"""The Gunicorn worker that serves the ASGI application with Uvicorn.

``ApplicationWorker`` takes Uvicorn's worker class for Gunicorn and mends what it leaves
open: reloading, signals from the first moment on, and a stop that is graceful for as
long as Gunicorn's ``graceful_timeout`` allows, and no longer. Everything turns on
``alive``, as in Gunicorn's own workers: whoever wants the worker to end (a signal, a
reloader, a vanished arbiter) sets it to false, and the server then winds up.

It works from Gunicorn 20.1.0 and Uvicorn 0.15.0 on. The sources to compare with are
Gunicorn's ``workers/base.py`` and ``arbiter.py``, and Uvicorn's ``server.py``.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import importlib
import logging
import math
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

import early_end
import log_lines
from access_lines import AccessLog, silence_uvicorn
from application_reloader import ApplicationReloader
from first_failure import FirstFailure
from forwarded_client import ProxyHeaders
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from shared_listener import share, takes_backlog
from uvicorn.server import Server

RELOAD_SECONDS = 1.4
ABORT_SECONDS = 0.8
FIRST_REQUEST_SECONDS = 0.1
POLL_SECONDS = 0.05
FIRST_FAILURE_SECONDS = 10
NEXT_FAILURE_SECONDS = 0.5
HEARTBEAT_SECONDS = 0.25
OWN_RELOAD_ENGINES = ("auto", "poll")

Message = dict[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


def import_uvicorn_worker() -> Any:
    """Return Uvicorn's worker class, from the package that has it today if installed.

    The older home of the class warns at import that the package exists; nobody who has
    installed Uvicorn alone can heed it.
    """
    try:
        return importlib.import_module("uvicorn_worker").UvicornWorker
    except ModuleNotFoundError as error:
        if error.name != "uvicorn_worker":
            raise
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"The `uvicorn\.workers` module is deprecated", DeprecationWarning
        )
        return importlib.import_module("uvicorn.workers").UvicornWorker


UvicornWorker: Any = import_uvicorn_worker()
UvicornServer: Any = Server


def failure_application(text: str) -> Application:
    """Return an ASGI application that answers every request with 500 and a text.

    WebSockets are refused, and the lifespan protocol is served.
    """
    body = text.encode("utf-8", "backslashreplace")

    async def application(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            for _ in ("startup", "shutdown"):
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1011})
        else:
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
            ]
            start = {"type": "http.response.start", "status": 500, "headers": headers}
            await send(start)
            await send({"type": "http.response.body", "body": body})

    return application


def traceback_files(error: BaseException) -> set[str]:
    """Return the files that an exception and those that led to it came through.

    A module whose import fails leaves no trace in ``sys.modules``, but it does here.
    """
    files: set[str] = set()
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        exception = pending.pop()
        if exception is None or id(exception) in seen:
            continue
        seen.add(id(exception))
        for frame, _ in traceback.walk_tb(exception.__traceback__):
            files.add(frame.f_code.co_filename)
        if isinstance(exception, SyntaxError) and exception.filename:
            files.add(exception.filename)
        pending += [exception.__cause__, exception.__context__]
    return {name for name in files if not name.startswith("<")}


class ErrorCollector(logging.Handler):
    """Keeps the text of the errors that a logger gets."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record, with its traceback if it has one."""
        self.lines.append(self.format(record))


class ApplicationServer(UvicornServer):  # type: ignore[misc]
    """Uvicorn's server, told by its worker when to stop and how long that may take.

    Uvicorn handles signals itself, drops what is in flight at the second one (a draining
    worker gets one every second from the arbiter) and, depending on its version, waits
    without end, skips the lifespan shutdown or ends by the signal instead of with 0.
    """

    def __init__(self, config: Any, worker: ApplicationWorker) -> None:
        super().__init__(config)
        self._worker = worker
        self._startup_errors = ErrorCollector()

    def install_signal_handlers(self) -> None:
        """Leave the signals to the worker (the hook of Uvicorn before 0.29)."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:
        """Leave the signals to the worker (the hook of Uvicorn since 0.29)."""
        return contextlib.nullcontext()

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Start the application's lifespan, then listen, and keep what goes wrong."""
        logger = logging.getLogger("uvicorn.error")
        logger.addHandler(self._startup_errors)
        try:
            await super().startup(sockets=sockets)
        finally:
            logger.removeHandler(self._startup_errors)

    def startup_failure(self) -> str:
        """Return the errors that were logged while the application started."""
        return "\n".join(self._startup_errors.lines)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop, asked ten times a second."""
        if counter % 10 == 0:
            self._worker.check_arbiter()
        should_exit = await super().on_tick(counter)
        return bool(should_exit) or not self._worker.alive

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        """Wind up: finish the requests in flight, then the application's lifespan.

        Connections without a request are closed after the moment that it takes to see
        whether one is on its way. What is in flight when the time is up is cancelled.
        """
        drain_until, exit_at = self._worker.deadlines()
        for listener in self.servers:
            listener.close()
        await asyncio.sleep(FIRST_REQUEST_SECONDS)
        await self._drain(drain_until)
        await self._cancel_requests()
        seconds = max(exit_at - time.monotonic() - POLL_SECONDS, POLL_SECONDS)
        try:
            await asyncio.wait_for(self.lifespan.shutdown(), seconds)
        except asyncio.TimeoutError:
            self._worker.log.error("The application's lifespan shutdown took too long")

    async def _drain(self, until: float) -> None:
        told: set[Any] = set()
        while self._is_busy():
            for connection in self.server_state.connections - told:
                told.add(connection)
                try:
                    connection.shutdown()
                except Exception:
                    self._worker.log.exception("A connection cannot be shut down")
                    connection.transport.close()
            if time.monotonic() >= until:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def _cancel_requests(self) -> None:
        tasks = set(self.server_state.tasks)
        if tasks:
            self._worker.log.warning(
                "Requests cancelled because the worker stops: %d", len(tasks)
            )
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=POLL_SECONDS)
        for connection in set(self.server_state.connections):
            connection.transport.close()

    def _is_busy(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)


class ApplicationWorker(UvicornWorker):  # type: ignore[misc]
    """Serves one ASGI application in one process.

    With RELOAD the worker ends as soon as a file has changed, and the arbiter starts
    another; an application that cannot be imported or started is replaced by one that
    shows the traceback. The settings are Gunicorn's, with their documented meaning.
    """

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        """Take Gunicorn's arguments. Runs in the arbiter, just before it forks."""
        super().__init__(*arguments, **keywords)
        self._importing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._drain_until = math.inf
        self._exit_at = math.inf
        self._trusts_proxies = self.config.proxy_headers
        silence_uvicorn()
        _forking.worker = self

    def init_signals(self) -> None:
        """Install the signal handlers: once right after the fork, once by Gunicorn."""
        handlers = {
            signal.SIGTERM: self.handle_exit,
            signal.SIGINT: self.handle_quit,
            signal.SIGQUIT: self.handle_quit,
            signal.SIGUSR1: self.handle_usr1,
            signal.SIGABRT: self.handle_abort,
        }
        for number in self.SIGNALS:
            signal.signal(number, handlers.get(number, signal.SIG_DFL))
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.siginterrupt(number, False)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully (SIGTERM). An import is broken off, for it serves nobody."""
        self.stop(self.cfg.graceful_timeout)
        if self._importing:
            self._exit_if_stopped()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully (SIGINT, SIGQUIT) and call the hook ``worker_int``, once."""
        was_alive = self.alive
        self.stop(self.cfg.graceful_timeout)
        if was_alive:
            self._call_hook(self.cfg.worker_int)
        if self._importing:
            self._exit_if_stopped()

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """Open the log files anew (SIGUSR1), between two log lines where possible."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.log.reopen_files)
                return
        self.log.reopen_files()

    def handle_abort(self, sig: int, frame: FrameType | None) -> None:
        """Break off what blocks the process (SIGABRT, the arbiter's timeout).

        The hook ``worker_abort`` is called. Uvicorn swallows the exception where an
        application's code is interrupted, so the end is also enforced by the clock.
        """
        self.aborted = True
        self.stop(ABORT_SECONDS)
        self._call_hook(self.cfg.worker_abort)
        sys.exit(1)

    def _call_hook(self, hook: Callable[[ApplicationWorker], object]) -> None:
        try:
            hook(self)
        except Exception:
            self.log.exception("A server hook of Gunicorn's configuration failed")

    def stop(self, seconds: float) -> None:
        """Stop serving, and be gone after so many seconds at the latest.

        Can be called from signal handlers and other threads, and again: the earliest end
        counts. The last part of the time, a second at most, is kept for the lifespan
        shutdown. ``_thread`` is used because starting a ``threading.Thread`` takes locks
        that the code interrupted by a signal may hold.
        """
        is_first = math.isinf(self._exit_at)
        reserve = min(1.0, seconds / 4)
        end = time.monotonic() + seconds
        self._drain_until = min(self._drain_until, end - reserve)
        self._exit_at = min(self._exit_at, end - reserve / 4)
        self.alive = False
        if is_first:
            _thread.start_new_thread(self._exit_in_time, ())

    def deadlines(self) -> list[float]:
        """Return when requests are cancelled and when the process ends, stopping it.

        Both are readings of the monotonic clock in seconds. Nobody has asked for an end
        if Gunicorn's own reloader has just set ``alive`` to false or ``max_requests`` is
        reached.
        """
        if math.isinf(self._exit_at):
            self.stop(self.cfg.graceful_timeout if self.alive else RELOAD_SECONDS)
        return [self._drain_until, self._exit_at]

    def _exit_in_time(self) -> None:
        """Keep the arbiter from killing a worker that is stopping, until time is up."""
        while time.monotonic() < self._exit_at:
            with contextlib.suppress(OSError, ValueError):
                self.notify()
            time.sleep(max(0, min(HEARTBEAT_SECONDS, self._exit_at - time.monotonic())))
        line = f"Worker {os.getpid()} was still busy and is ended"
        with contextlib.suppress(OSError):
            os.write(2, f"{log_lines.own_line(line, logging.WARNING)}\n".encode())
        os._exit(self._exit_status())

    def _exit_status(self) -> int:
        return 1 if self.aborted else 0

    def _exit_if_stopped(self) -> None:
        if not self.alive:
            sys.exit(self._exit_status())

    def check_arbiter(self) -> None:
        """Stop if the arbiter has died: nobody would ever stop this process."""
        if self.alive and os.getppid() != self.ppid:
            self.log.warning("The arbiter is gone: the worker stops")
            self.stop(self.cfg.graceful_timeout)

    def reload(self, path: str) -> None:
        """Make way for a worker with the changed file, wherever this one stands.

        Called by the reloader in its own thread, which is why an import under way has to
        be interrupted by a signal. Like Gunicorn's reloader, call ``worker_int``.
        """
        self.log.info("Worker reloading: %s modified", path)
        self.stop(RELOAD_SECONDS)
        self._call_hook(self.cfg.worker_int)
        main_thread = threading.main_thread().ident
        if self._importing and main_thread is not None:
            signal.pthread_kill(main_thread, signal.SIGTERM)

    def load_wsgi(self) -> None:
        """Import the application.

        With RELOAD, start watching its files before, and put an application in its place
        that shows the traceback if the import fails. Without, a failure ends the worker
        and, as Gunicorn has it, the arbiter as well; ``SystemExit`` counts as one.
        """
        self._importing = True
        try:
            self._exit_if_stopped()
            if self.cfg.reload:
                self._start_reloader()
            self.wsgi = self.app.wsgi()
        except BaseException as error:
            self._exit_if_stopped()
            if self.cfg.reload:
                self.wsgi = self._substitute(error)
            else:
                self._fail(error)
                raise
        finally:
            self._importing = False
        self._exit_if_stopped()

    def _fail(self, error: BaseException) -> None:
        """End with the status that ends the server, unless a traceback has to tell why.

        The first worker that fails tells. Gunicorn's own line about a variable that the
        module lacks would at the level "debug" come with a traceback from its code.
        """
        is_import_error = isinstance(error, AppImportError)
        status = (
            Arbiter.APP_LOAD_ERROR if is_import_error else Arbiter.WORKER_BOOT_ERROR
        )
        if not _first_failure.is_mine():
            self._wait_for_the_end()
            sys.exit(status)
        if is_import_error:
            log_lines.tell(" ".join(str(error).split()))
            sys.exit(status)
        if isinstance(error, SystemExit):
            self.log.exception("The application has exited while it was imported")
            sys.exit(status)

    def _wait_for_the_end(self) -> None:
        """Wait until the arbiter stops this worker because another one has failed.

        Arbiters that reap workers in a signal handler lose a failure that they learn of
        while they fork: Python ignores what is raised in its callbacks around a fork.
        Then the next worker has to fail, and not all of them at the same time.
        """
        seconds: float = FIRST_FAILURE_SECONDS
        if not hasattr(Arbiter, "signal_chld"):
            seconds = NEXT_FAILURE_SECONDS * (1 + self.age % 4)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.notify()
            self.check_arbiter()
            self._exit_if_stopped()
            time.sleep(POLL_SECONDS)

    def _start_reloader(self) -> None:
        """Replace the reloader that Gunicorn has prepared, unless it was asked for.

        Byte code is not written: it is told from an edited source by the second and the
        size alone.
        """
        if self.cfg.reload_engine in OWN_RELOAD_ENGINES:
            self.reloader = ApplicationReloader(
                os.getcwd(), self.reload, self.cfg.reload_extra_files
            )
            self.reloader.start()
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()

    def _substitute(self, error: BaseException) -> Application:
        for name in traceback_files(error):
            self.reloader.add_extra_file(name)
        self.log.error("The application cannot be loaded", exc_info=error)
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        return failure_application("".join(lines))

    def run(self) -> None:
        """Serve until told to stop, then end with status 0."""
        self._exit_if_stopped()
        super().run()
        sys.exit(self._exit_status())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self.cfg.workers > 1 and takes_backlog(self._loop):
            share(self.sockets)
            self.config.backlog = 1
        substitute = await self._serve_application(self.wsgi)
        if substitute is not None and self.alive:
            await self._serve_application(substitute)

    async def _serve_application(self, application: Any) -> Application | None:
        """Serve an application; return another to serve if it fails to start.

        Without RELOAD, failing to start is a boot error, which ends the arbiter. Uvicorn
        is given Python's own sockets: uvloop closes Gunicorn's wrappers of them twice.
        """
        self.config.app = application
        self.config.interface = "auto"
        self.config.loaded = False
        self.config.proxy_headers = False
        try:
            self.config.load()
        except (Exception, SystemExit) as error:
            if self.cfg.reload:
                return self._substitute(error)
            self.log.exception("The application cannot be loaded")
            sys.exit(Arbiter.WORKER_BOOT_ERROR)
        self._wrap_application()
        server = ApplicationServer(self.config, self)
        try:
            await server.serve(sockets=[listener.sock for listener in self.sockets])
        except SystemExit:
            if server.started or not self.cfg.reload:
                raise
        if server.started:
            return None
        if self.cfg.reload:
            return failure_application(server.startup_failure())
        sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def _wrap_application(self) -> None:
        """Put the access log around the application, and proxies' headers around both.

        What the application itself is, is Uvicorn's to find out, which has loaded it.
        """
        application = self.config.loaded_app
        if self.log.access_log.handlers or self.log.access_log.propagate:
            application = AccessLog(application)
        if self._trusts_proxies:
            application = ProxyHeaders(application, self.config.forwarded_allow_ips)
        self.config.loaded_app = application


class _Forking:
    """Signals are held back while a worker is forked, until it has its handlers.

    Between the fork and Gunicorn's ``init_signals`` a worker has the arbiter's handlers,
    which queue a signal that nobody will ever take from the queue.
    """

    def __init__(self) -> None:
        self.worker: ApplicationWorker | None = None
        self._mask: set[Any] = set()
        os.register_at_fork(
            before=self._before,
            after_in_parent=self._after_in_arbiter,
            after_in_child=self._after_in_worker,
        )

    def _before(self) -> None:
        if self.worker is not None:
            self._mask = signal.pthread_sigmask(
                signal.SIG_BLOCK, set(UvicornWorker.SIGNALS) - {signal.SIGCHLD}
            )

    def _after_in_arbiter(self) -> None:
        if self.worker is not None:
            self.worker = None
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _after_in_worker(self) -> None:
        if self.worker is not None:
            try:
                self.worker.init_signals()
            finally:
                self.worker = None
                signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


early_end.mend()
_forking = _Forking()
_first_failure = FirstFailure()
