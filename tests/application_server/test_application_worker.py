"""The worker in real servers: reloading, signals, stopping, and failing to boot."""

from __future__ import annotations

import functools
import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from .conftest import (
    APPLICATION_SERVER,
    CONFIGURATION_FILE,
    DEADLINE,
    Server,
    process_is_alive,
    wait_for,
)

RELOAD_LIMIT = 2.0
VALUE = Path("app", "inner", "deep", "value.py")
HOOKS = f"""
import os, signal
__file__ = {str(CONFIGURATION_FILE)!r}
exec(compile(open(__file__).read(), __file__, "exec"))

def note(event):
    with open("events", "a") as events:
        events.write(event + "\\n")

def wait_and_note(*arguments, wait=os.waitpid):
    pid, status = wait(*arguments)
    if pid:
        note(f"exit {{pid}} {{status}}")
    return pid, status

os.waitpid = wait_and_note

def worker_int(worker):
    note(f"worker_int {{worker.pid}}")

def worker_abort(worker):
    note(f"worker_abort {{worker.pid}}")
"""

FAILING_STARTUP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        message = "no base" + " of data"
        await send({"type": "lifespan.startup.failed", "message": message})
"""

Start = Callable[..., Server]


@pytest.fixture
def start_with_hooks(project: Path, start: Start) -> Start:
    """Like ``start``, but hooks note their calls, and each end of a worker is noted."""

    def start_server(*arguments: str, hooks: str = "", **variables: str) -> Server:
        (project / "hooks.py").write_text(HOOKS + hooks)
        return start("-c", "hooks.py", *arguments, **variables)

    return start_server


class Request(threading.Thread):
    """A request in the background, begun when the application has got it."""

    def __init__(self, server: Server, path: str) -> None:
        super().__init__(daemon=True)
        self.server, self.path = server, path
        self.result: tuple[int, str] | None = None
        before = server.events().count(f"request {server.worker_pid()}")
        self.start()
        wait_for(lambda: len(self._requests()) > before)

    def _requests(self) -> list[str]:
        return [e for e in self.server.events() if e.startswith("request")]

    def run(self) -> None:
        try:
            self.result = self.server.get(self.path)
        except (OSError, http.client.HTTPException):
            self.result = (0, "")

    def answer(self) -> tuple[int, str] | None:
        """Return status and body, or zero and nothing if the connection was lost."""
        self.join(DEADLINE)
        return self.result


def seconds_until(condition: Callable[[], bool]) -> float:
    """Return how long it takes until a condition holds."""
    began = time.monotonic()
    wait_for(condition)
    return time.monotonic() - began


def assert_reloads(server: Server, change: Callable[[], object], body: str) -> None:
    """Make a change and see the response become another one in time."""
    change()
    taken = seconds_until(lambda: server.get() == (200, body))
    assert taken < RELOAD_LIMIT


def children(server: Server) -> list[int]:
    """Return the processes of the workers, those that are booting included."""
    pid = server.process.pid
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


def exits(server: Server) -> list[str]:
    """Return the ends of workers that were noted, with process and status."""
    return [event for event in server.events() if event.startswith("exit ")]


def contains(server: Server, text: str) -> bool:
    """Whether the answer to any request contains a text."""
    return text in server.body("/any/path")


def test_reload_changes_the_response_again_and_again(
    project: Path, start: Start
) -> None:
    server = start(RELOAD="true")
    assert wait_for(server.body) == "one"
    value, other = project / VALUE, project / VALUE.with_name("other.py")

    def replace() -> None:
        temporary = value.with_suffix(".new")
        temporary.write_text('VALUE = "six"\n')
        os.utime(temporary, ns=(value.stat().st_mtime_ns,) * 2)
        temporary.replace(value)

    def write(text: str, time: int) -> None:
        value.write_text(f'VALUE = "{text}"\n')
        os.utime(value, (time, time))

    assert_reloads(server, lambda: value.write_text('VALUE = "two"\n'), "two")
    assert_reloads(server, lambda: value.write_text('VALUE = "ten"\n'), "ten")
    assert_reloads(server, replace, "six")
    assert_reloads(server, lambda: write("old", 1_000_000_000), "old")
    assert_reloads(server, lambda: write("new", 4_000_000_000), "new")
    pid = server.worker_pid()
    time.sleep(0.7)
    assert server.worker_pid() == pid
    optional = "try: from app.inner.deep.other import VALUE\n"
    optional += "except ImportError: VALUE = 'none'\n"
    assert_reloads(server, lambda: value.write_text(optional), "none")
    assert_reloads(server, lambda: other.write_text('VALUE = "some"\n'), "some")


def test_reload_survives_an_application_that_fails(project: Path, start: Start) -> None:
    server = start(RELOAD="true")
    assert wait_for(server.body) == "one"
    value, main = project / VALUE, project / "app" / "main.py"
    good, application = value.read_text(), main.read_text()
    failures = [
        (value, "VALUE = \n", "SyntaxError"),
        (value, "raise OSError('b' + 'ad')\n", "OSError: bad"),
        (value, "raise SystemExit(4)\n", "SystemExit: 4"),
        (value, "from app.missing import thing\n", "No module named 'app.missing'"),
        (main, application.replace("def app", "def other"), "Failed to find"),
        (main, FAILING_STARTUP, "no base of data"),
        (main, "def app():\n    1 / 0\n", "ZeroDivisionError"),
    ]
    for path, text, message in failures:
        value.write_text(good)
        path.write_text(text)
        told = functools.partial(contains, server, message)
        taken = seconds_until(told)
        assert taken < RELOAD_LIMIT
        connection = server.connect()
        connection.request("GET", "/")
        with connection.getresponse() as response:
            assert response.status == 500
            assert response.getheader("content-type") == "text/plain; charset=utf-8"
            assert message in response.read().decode()
        connection.close()
    main.write_text(application)
    assert_reloads(server, lambda: value.write_text(good), "one")
    server.send(signal.SIGTERM)
    assert server.wait() == 0


def test_reload_while_the_application_is_still_being_imported(
    project: Path, start: Start
) -> None:
    (project / VALUE).write_text("import time\nopen('booting', 'w')\ntime.sleep(60)\n")
    server = start(RELOAD="true")
    wait_for((project / "booting").exists)
    fixed = 'VALUE = "fixed"\n'
    assert_reloads(server, lambda: (project / VALUE).write_text(fixed), "fixed")


def test_reload_ends_what_is_in_flight_soon(
    project: Path, start_with_hooks: Start
) -> None:
    (project / "settings.toml").touch()
    server = start_with_hooks(
        RELOAD="true",
        GUNICORN_CMD_ARGS="--reload-extra-file settings.toml --reload-engine poll",
    )
    short = Request(server, "/sleep/0.4")
    stream = server.connect()
    stream.request("GET", "/stream")
    response = stream.getresponse()
    pid = server.worker_pid()
    (project / "settings.toml").write_text("changed = true\n")
    assert short.answer() == (200, "one")
    assert seconds_until(lambda: server.worker_pid() != pid) < RELOAD_LIMIT + 0.5
    with response, pytest.raises(http.client.IncompleteRead):
        response.read()
    stream.close()
    assert f"exit {pid} 0" in server.events()
    assert f"shutdown {pid}" in server.events()
    assert f"worker_int {pid}" in server.events()


def test_reload_although_the_event_loop_is_blocked(project: Path, start: Start) -> None:
    server = start(RELOAD="true")
    Request(server, "/block/60")
    (project / VALUE).write_text('VALUE = "two"\n')
    taken = seconds_until(lambda: server.get() == (200, "two"))
    assert taken < RELOAD_LIMIT + 0.5


@pytest.mark.skipif(
    importlib.util.find_spec("websockets") is None, reason="needs uvicorn[standard]"
)
def test_reload_and_stop_with_open_websockets(project: Path, start: Start) -> None:
    server = start(RELOAD="true")
    server.worker_pid()

    def open_websocket() -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.port), DEADLINE)
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        return client

    with open_websocket():
        (project / VALUE).write_text('VALUE = "two"\n')
        taken = seconds_until(lambda: server.get() == (200, "two"))
        assert taken < RELOAD_LIMIT + 0.5
    with open_websocket():
        server.send(signal.SIGTERM)
        assert seconds_until(lambda: server.process.poll() == 0) < 5


def test_usr1_reopens_the_logs_and_loses_nothing(project: Path, start: Start) -> None:
    server = start(ACCESS_LOG="access.log", ERROR_LOG="error.log")
    pid = server.worker_pid()
    request = Request(server, "/sleep/0.5")
    for name in ("access.log", "error.log"):
        (project / name).rename(project / f"{name}.1")
    server.send(signal.SIGUSR1)
    os.kill(pid, signal.SIGUSR1)
    wait_for((project / "access.log").exists)
    assert request.answer() == (200, "one")
    wait_for(lambda: "/sleep/0.5" in (project / "access.log").read_text())
    assert "/sleep/0.5" not in (project / "access.log.1").read_text()
    assert server.worker_pid() == pid
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    log = (project / "error.log").read_text()
    assert "Handling signal: term" in log
    assert f"Worker exiting (pid: {pid})" in log


def test_usr1_while_booting(project: Path, start: Start) -> None:
    (project / VALUE).write_text(
        "import time\nopen('booting', 'w')\ntime.sleep(0.5)\nVALUE = 'late'\n"
    )
    server = start()
    wait_for((project / "booting").exists)
    [pid] = children(server)
    os.kill(pid, signal.SIGUSR1)
    assert wait_for(server.body) == "late"
    assert server.worker_pid() == pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("to_arbiter", [True, False])
def test_stop_is_graceful(
    start_with_hooks: Start, number: signal.Signals, to_arbiter: bool
) -> None:
    server = start_with_hooks(KEEP_ALIVE="60", GRACEFUL_TIMEOUT="20")
    pid = server.worker_pid()
    idle = server.connect()
    idle.request("GET", "/")
    assert idle.getresponse().read() == b"one"
    request = Request(server, "/sleep/1")
    os.kill(server.process.pid if to_arbiter else pid, number)
    assert idle.sock is not None
    assert idle.sock.recv(1) == b""
    assert request.is_alive()
    idle.close()
    if not to_arbiter:
        os.kill(pid, number)
    assert request.answer() == (200, "one")
    assert seconds_until(lambda: f"exit {pid} 0" in server.events()) < 2
    events = server.events()
    assert events.index(f"shutdown {pid}") < events.index(f"exit {pid} 0")
    by_quit = number != signal.SIGTERM
    assert events.count(f"worker_int {pid}") == by_quit
    if to_arbiter:
        assert server.wait() == 0
    else:
        assert server.worker_pid() != pid


def test_stop_is_bounded_by_graceful_timeout(start_with_hooks: Start) -> None:
    server = start_with_hooks(GRACEFUL_TIMEOUT="1")
    pid = server.worker_pid()
    request = Request(server, "/sleep/60")
    began = time.monotonic()
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert 0.7 < time.monotonic() - began < 3
    assert request.answer() != (200, "one")
    assert {f"shutdown {pid}", f"exit {pid} 0"} <= set(server.events())


def test_stop_is_bounded_although_the_event_loop_is_blocked(
    start_with_hooks: Start,
) -> None:
    server = start_with_hooks(GRACEFUL_TIMEOUT="1")
    pid = server.worker_pid()
    Request(server, "/block/60")
    os.kill(pid, signal.SIGTERM)
    assert seconds_until(lambda: f"exit {pid} 0" in server.events()) < 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_stop_while_booting(
    project: Path, start_with_hooks: Start, number: signal.Signals
) -> None:
    (project / VALUE).write_text("import time\nopen('booting', 'w')\ntime.sleep(60)\n")
    server = start_with_hooks()
    wait_for((project / "booting").exists)
    [pid] = children(server)
    server.send(number)
    assert seconds_until(lambda: server.process.poll() == 0) < 3
    assert f"exit {pid} 0" in server.events()


def test_stop_right_after_the_fork(start_with_hooks: Start) -> None:
    hooks = """
def post_fork(server, worker):
    if not os.path.exists("forked"):
        open("forked", "w").close()
        note(f"forked {worker.pid}")
        os.kill(worker.pid, signal.SIGTERM)
"""
    server = start_with_hooks(hooks=hooks)
    assert wait_for(server.body) == "one"
    events = server.events()
    [first] = [e.split()[1] for e in events if e.startswith("forked")]
    assert f"exit {first} 0" in events
    assert f"startup {first}" not in events


def test_hup_replaces_workers_and_drains_the_old_ones(start_with_hooks: Start) -> None:
    server = start_with_hooks(TIMEOUT="1", GRACEFUL_TIMEOUT="20")
    pid = server.worker_pid()
    request = Request(server, "/sleep/2.5")
    server.send(signal.SIGHUP)
    wait_for(lambda: server.worker_pid() != pid)
    assert process_is_alive(pid)
    assert request.answer() == (200, "one")
    wait_for(lambda: f"exit {pid} 0" in server.events())
    assert f"shutdown {pid}" in server.events()


def test_timeout_aborts_a_blocked_worker(start_with_hooks: Start) -> None:
    server = start_with_hooks(TIMEOUT="1")
    pid = server.worker_pid()
    Request(server, "/block/60")
    wait_for(lambda: f"worker_abort {pid}" in server.events())
    wait_for(lambda: server.worker_pid() != pid)
    exits = [event for event in server.events() if event.startswith(f"exit {pid}")]
    assert exits in ([f"exit {pid} {1 << 8}"], [f"exit {pid} {signal.SIGKILL:d}"])
    assert "WORKER TIMEOUT" in server.errors()


def test_max_requests_ends_a_worker_gracefully(start_with_hooks: Start) -> None:
    server = start_with_hooks("--max-requests", "2")
    pid = server.worker_pid()
    assert wait_for(lambda: server.worker_pid() != pid)
    assert {f"shutdown {pid}", f"exit {pid} 0"} <= set(server.events())


def test_max_requests_replaces_workers_and_loses_nothing(
    start_with_hooks: Start,
) -> None:
    server = start_with_hooks(WORKERS="2", MAX_REQUESTS="20", MAX_REQUESTS_JITTER="10")
    server.worker_pid()
    answers: list[tuple[int, str]] = []

    def workers() -> set[str]:
        return {pid for _, pid in answers}

    def ask() -> None:
        end = time.monotonic() + DEADLINE
        while len(workers()) < 6 and time.monotonic() < end:
            answers.append(server.get("/pid"))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(workers()) >= 6
    assert {status for status, _ in answers} == {200}
    assert len(answers) >= 4 * 20
    wait_for(lambda: len(exits(server)) >= 4)
    assert {event.split()[2] for event in exits(server)} == {"0"}


def test_max_requests_jitter_differs_from_worker_to_worker(
    project: Path, start_with_hooks: Start
) -> None:
    hooks = "\ndef pre_fork(server, worker):\n    note(worker.max_requests)\n"
    hooks = hooks.replace("note(", "note('limit %d' % ")
    server = start_with_hooks(
        hooks=hooks, WORKERS="8", MAX_REQUESTS="100", MAX_REQUESTS_JITTER="1000000"
    )
    wait_for(lambda: len([e for e in server.events() if "limit" in e]) == 8)
    limits = [int(e.split()[1]) for e in server.events() if "limit" in e]
    assert len(set(limits)) > 1
    assert all(100 <= limit <= 1_000_100 for limit in limits)


CLIENT = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    else:
        text = scope["client"][0] + " " + scope["scheme"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})
"""


@pytest.mark.parametrize(
    ("allowed", "peer", "is_trusted"),
    [
        ("", "127.0.0.1", True),
        ("", "127.0.0.2", False),
        ("127.0.0.2", "127.0.0.2", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("10.0.0.1, 127.0.0.3", "127.0.0.3", True),
        ("*", "127.0.0.9", True),
        ("10.0.0.1,*", "127.0.0.9", True),
        ("127.4.0.0/16", "127.4.5.6", True),
        ("127.4.0.0/16", "127.5.5.6", False),
    ],
)
def test_forwarded_headers_count_from_allowed_addresses_alone(
    configuration: ModuleType,
    project: Path,
    start: Start,
    allowed: str,
    peer: str,
    is_trusted: bool,
) -> None:
    (project / "client.py").write_text(CLIENT)
    server = start(FORWARDED_ALLOW_IPS=allowed, MODULE_NAME="client")
    if "/" in allowed and not configuration.uvicorn_takes_networks():
        assert server.wait() == 3
        assert server.errors().startswith(f"FORWARDED_ALLOW_IPS={allowed!r} is not")
        return
    assert wait_for(server.body) == "127.0.0.1 http"
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=DEADLINE, source_address=(peer, 0)
    )
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    connection.request("GET", "/", headers=headers)
    with connection.getresponse() as response:
        told = response.read().decode()
    connection.close()
    assert told == ("192.0.2.7 https" if is_trusted else f"{peer} http")


def test_worker_ends_when_its_arbiter_has_died(start: Start) -> None:
    server = start()
    pid = server.worker_pid()
    server.process.kill()
    server.wait()
    wait_for(lambda: not process_is_alive(pid))
    assert f"shutdown {pid}" in server.events()


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("raise OSError('b' + 'ad')\n", 3, "OSError: bad"),
        ("VALUE = \n", 3, "SyntaxError"),
        ("raise SystemExit(0)\n", 3, "has exited while it was imported"),
        ("import app.main as m\ndel m.app\nVALUE = 1\n", 3, "AttributeError"),
    ],
)
def test_import_failure_ends_the_server(
    project: Path, start: Start, text: str, status: int, reason: str
) -> None:
    (project / VALUE).write_text(text)
    server = start()
    assert server.wait() == status
    assert reason in server.errors()


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("other = 1\n", 4, "Failed to find attribute 'app'"),
        ("def app():\n    1 / 0\n", 3, "ZeroDivisionError"),
        (FAILING_STARTUP, 3, "no base of data"),
    ],
)
def test_start_failure_ends_the_server(
    project: Path, start: Start, text: str, status: int, reason: str
) -> None:
    (project / "app" / "main.py").write_text(text)
    server = start()
    assert server.wait() == status
    assert reason in server.errors()


@pytest.mark.parametrize(
    ("text", "status", "line"),
    [
        ("other = 1\n", 4, "Failed to find attribute 'app' in 'app.main'."),
        ("app = 1\n", 4, "Application object must be callable."),
        ("1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(5)\n", 3, "SystemExit: 5"),
    ],
)
@pytest.mark.parametrize("level", ["info", "debug"])
def test_load_failure_of_several_workers_is_told_once(
    project: Path, start: Start, text: str, status: int, line: str, level: str
) -> None:
    (project / "app" / "main.py").write_text(text)
    server = start(WORKERS="4", LOG_LEVEL=level)
    assert server.wait() == status
    lines = server.errors().splitlines()
    assert lines.count(line) == 1
    assert "AppImportError" not in server.errors()


def test_worker_class_is_found_without_its_newer_package() -> None:
    program = "import sys; sys.modules['uvicorn_worker'] = None\n"
    program += "import application_worker\n"
    program += "print(application_worker.ApplicationWorker.__mro__[1].__module__)"
    result = subprocess.run(
        [sys.executable, "-W", "error:The `uvicorn.workers", "-c", program],
        cwd=APPLICATION_SERVER,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "uvicorn.workers\n"
