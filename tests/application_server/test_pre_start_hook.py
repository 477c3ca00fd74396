"""The pre-start hook, in real servers and alone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from .conftest import Server, load_module, process_is_alive, wait_for

SHELL = shutil.which("sh")
SLEEP = f"{sys.executable} -c 'import time; time.sleep(60)'"
STOP_SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]

Start = Callable[..., Server]
WriteHook = Callable[..., str]


@pytest.fixture
def write_hook(project: Path) -> WriteHook:
    """A function that writes the pre-start hook of the project.

    Its commands are the shell's own and Python: there may be no others.
    """

    def write(text: str, first_line: str = f"#!{SHELL}\n", mode: int = 0o755) -> str:
        path = project / "hook"
        path.write_text(first_line + text)
        path.chmod(mode)
        return str(path)

    return write


def test_hook_runs_once_before_the_port_is_open(
    project: Path, start: Start, write_hook: WriteHook
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    hook = write_hook(
        f"echo to output; echo to errors >&2; pwd >> runs\n{sys.executable} -c '\n"
        "import os, time\n"
        'while not os.path.exists("go"): time.sleep(0.02)\n\'\n'
    )
    server = start(PRE_START_PATH=hook, BIND=f"127.0.0.1:{port}", WORKERS="2")
    server.port = port
    wait_for((project / "runs").exists)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    assert server.output() == "to output\n"
    assert server.errors() == "to errors\n"
    (project / "go").touch()
    wait_for(lambda: server.errors().count("Booting worker") == 2)
    (project / "hook").unlink()
    server.send(signal.SIGHUP)
    wait_for(lambda: server.errors().count("Booting worker") == 4)
    assert (project / "runs").read_text() == f"{project}\n"
    assert "PRE_START_PATH" not in server.errors()


def test_hook_can_bring_the_application(
    project: Path, start: Start, write_hook: WriteHook
) -> None:
    (project / "app").rename(project / "later")
    hook = write_hook(
        f'{sys.executable} -c \'import os; os.rename(*["later", "app"])\'\n'
    )
    server = start("--preload", PRE_START_PATH=hook)
    assert wait_for(server.body) == "one"


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("exit 7\n", 7, "has failed with status 7"),
        ("exit 255\n", 255, "has failed with status 255"),
        ("kill -KILL $$\n", 137, "was ended by SIGKILL"),
        ("kill -TERM $$\n", 143, "was ended by SIGTERM"),
    ],
)
def test_failure_ends_the_server_with_the_status_of_the_hook(
    start: Start, write_hook: WriteHook, text: str, status: int, told: str
) -> None:
    hook = write_hook(text)
    server = start(PRE_START_PATH=hook)
    assert server.wait() == status
    line = f"PRE_START_PATH={hook!r} {told}: the server does not start\n"
    assert (server.output(), server.errors()) == ("", line)


@pytest.mark.parametrize(
    ("first_line", "told"),
    [
        ("#!/missing/shell\n", "interpreter, '#!/missing/shell'"),
        ("#!/bin/sh\r\n", r"interpreter, '#!/bin/sh\r'"),
        ("echo hello\n", "Exec format error: a script begins with #!"),
    ],
)
def test_hook_that_cannot_be_started_is_one_line(
    start: Start, write_hook: WriteHook, first_line: str, told: str
) -> None:
    hook = write_hook("true\n", first_line)
    server = start(PRE_START_PATH=hook)
    assert server.wait() == 3
    [line] = server.errors().splitlines()
    assert line.startswith(f"PRE_START_PATH={hook!r} cannot be started: ")
    assert told in line


def test_path_has_to_be_an_executable_file(
    project: Path, start: Start, write_hook: WriteHook
) -> None:
    hook = write_hook("true\n", mode=0o644)
    for path, told in (
        (hook, f"not executable: chmod +x {hook}"),
        (str(project), "it is not a file"),
        (f"{project}/missing", "there is no such file"),
    ):
        server = start(PRE_START_PATH=path)
        assert server.wait() == 3
        line = f"PRE_START_PATH={path!r} is not allowed: {told}\n"
        assert (server.output(), server.errors()) == ("", line)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_stop_is_forwarded(
    project: Path, start: Start, write_hook: WriteHook, number: signal.Signals
) -> None:
    name = number.name[len("SIG") :]
    hook = write_hook(
        f"trap 'echo trapped > trapped; exit 9' {name}\n"
        f"{SLEEP} & echo $! > running\nwait\n"
    )
    server = start(PRE_START_PATH=hook)
    sleeper = int(wait_for(lambda: text_of(project / "running")))
    began = time.monotonic()
    server.send(number)
    assert server.wait() == 0
    assert time.monotonic() - began < 5
    assert (project / "trapped").exists()
    line = f"PRE_START_PATH={hook!r} has ended after {number.name}, the server with it"
    assert server.errors().splitlines()[-1] == line
    assert server.output() == ""
    wait_for(lambda: not process_is_alive(sleeper))


def test_stop_reaches_what_a_shell_waits_for(
    project: Path, start: Start, write_hook: WriteHook
) -> None:
    hook = write_hook(
        f"trap 'echo > trapped; exit 1' TERM\necho > running\n{SLEEP}\nwait\n"
    )
    server = start(PRE_START_PATH=hook)
    wait_for((project / "running").exists)
    wait_for(lambda: children_of(children_of(server.process.pid)[0]))
    began = time.monotonic()
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert time.monotonic() - began < 5
    assert (project / "trapped").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_hook_that_ignores_a_signal_is_terminated(
    project: Path, start: Start, write_hook: WriteHook, number: signal.Signals
) -> None:
    hook = write_hook(
        "trap '' INT QUIT\ntrap 'echo > terminated; exit 1' TERM\n"
        f"{SLEEP} & echo $! > running\nwait\n"
    )
    server = start(PRE_START_PATH=hook)
    sleeper = int(wait_for(lambda: text_of(project / "running")))
    began = time.monotonic()
    server.send(number)
    assert server.wait() == 0
    assert time.monotonic() - began < 5
    assert (project / "terminated").exists()
    wait_for(lambda: not process_is_alive(sleeper))


@pytest.mark.parametrize(("grace", "at_least"), [("1", 0.9), ("0", 0.0)])
def test_hook_that_does_not_end_is_killed_with_its_children(
    project: Path, start: Start, write_hook: WriteHook, grace: str, at_least: float
) -> None:
    hook = write_hook(f"trap '' TERM INT QUIT\n{SLEEP} & echo $! > running\nwait\n")
    server = start(PRE_START_PATH=hook, GRACEFUL_TIMEOUT=grace)
    sleeper = int(wait_for(lambda: text_of(project / "running")))
    began = time.monotonic()
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert at_least <= time.monotonic() - began < 5
    [line] = server.errors().splitlines()
    assert line.endswith(" was killed after SIGTERM, the server with it")
    wait_for(lambda: not process_is_alive(sleeper))


def test_what_a_hook_leaves_running_is_left_alone(
    project: Path, start: Start, write_hook: WriteHook
) -> None:
    hook = write_hook(f"{SLEEP} > /dev/null 2>&1 &\necho $! > left\n")
    server = start(PRE_START_PATH=hook)
    server.worker_pid()
    left = int((project / "left").read_text())
    assert process_is_alive(left)
    os.kill(left, signal.SIGKILL)


def test_handlers_of_before_are_back(tmp_path: Path, write_hook: WriteHook) -> None:
    module = load_module("pre_start_hook")
    numbers = [*STOP_SIGNALS, signal.SIGALRM]
    before = [signal.getsignal(number) for number in numbers]
    assert module.run_pre_start_hook(write_hook("true\n"), 1) is None
    assert module.run_pre_start_hook(str(tmp_path), 1) == 3
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_signals_have_names() -> None:
    name = load_module("pre_start_hook").signal_name
    assert name(15) == "SIGTERM"
    assert name(40) == "signal 40"


def text_of(path: Path) -> str:
    """Return a file's line as soon as it is complete."""
    text = path.read_text() if path.exists() else ""
    return text if text.endswith("\n") else ""


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
