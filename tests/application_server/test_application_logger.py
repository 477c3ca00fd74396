"""All that is logged, by whomever, in real servers: one format, one level."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from .conftest import Server, wait_for

TEXT_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[\d+\] \[[A-Z]+\] [\w.]+: .*"
)
APPLICATION = """
import asyncio, logging, os, sys, threading, warnings
log = logging.getLogger("some.where")
log.info("imported")

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/log":
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(log, level)("told as %s", level, extra={"level_told": level})
    elif path == "/warn":
        warnings.warn("careful")
    elif path == "/raise":
        raise ValueError("first\\nsecond")
    elif path == "/thread":
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    elif path == "/callback":
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    elif path == "/print":
        print("printed", flush=True)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""
PATHS = ("/log", "/warn", "/raise", "/thread", "/callback")
Start = Callable[..., Server]


@pytest.fixture
def start_logging(project: Path, start: Start) -> Start:
    """A function that starts a server of an application that logs."""
    (project / "telling.py").write_text(APPLICATION)

    def start_server(*arguments: str, **variables: str) -> Server:
        return start(*arguments, MODULE_NAME="telling", **variables)

    return start_server


def ask_and_stop(server: Server, paths: tuple[str, ...] = PATHS) -> None:
    """Ask for some paths, then end the server."""
    assert wait_for(server.body)
    for path in paths:
        server.get(path)
    server.send(signal.SIGTERM)
    assert server.wait() == 0


def objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of a text in which every line is one."""
    return [dict(json.loads(line)) for line in text.splitlines()]


def test_json_is_everything_from_the_first_line_to_the_last(
    start_logging: Start,
) -> None:
    server = start_logging(LOG_FORMAT="json", LOG_LEVEL="debug")
    ask_and_stop(server)
    errors, output = objects(server.errors()), objects(server.output())
    told = {line["message"]: line for line in errors}
    assert "Starting gunicorn" in " ".join(told)
    assert "Application startup complete." in told
    assert "Shutting down: Master" in told
    assert told["imported"]["logger"] == "some.where"
    levels = [line["level_told"] for line in errors if "level_told" in line]
    assert levels == ["debug", "info", "warning", "error", "critical"]
    assert [line for line in errors if line["logger"] == "py.warnings"]
    failed = told["Exception in ASGI application"]
    assert failed["traceback"].endswith("\nValueError: first\nsecond")
    divided = [
        line for line in errors if "ZeroDivisionError" in line.get("traceback", "")
    ]
    assert [line["logger"] for line in divided] == ["application_server", "asyncio"]
    [settings] = [line["settings"] for line in output if "settings" in line]
    assert settings["loglevel"] == "debug"
    assert [line["path"] for line in output if "path" in line][-5:] == list(PATHS)


def test_text_has_one_form(start_logging: Start) -> None:
    server = start_logging()
    ask_and_stop(server, ("/log", "/x?y=z"))
    lines = server.errors().splitlines()
    assert [line for line in lines if not TEXT_LINE.fullmatch(line)] == []
    assert [line for line in lines if line.endswith("some.where: told as info")]
    assert not [line for line in lines if "told as debug" in line]
    report, *access = sorted(
        server.output().splitlines(), key=lambda line: line[0] != "{"
    )
    assert json.loads(report)["loglevel"] == "info"
    assert [line for line in access if not TEXT_LINE.fullmatch(line)] == []
    assert re.search(
        r'gunicorn.access: 127\.0\.0\.1:\d+ - "GET /x\?y=z HTTP/1\.1" 200 [\d.]+ ms$',
        access[-1],
    )


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_the_level_holds_for_all(start_logging: Start, level: str) -> None:
    server = start_logging(LOG_FORMAT="json", LOG_LEVEL=level)
    ask_and_stop(server, ("/log",))
    levels = ["debug", "info", "warning", "error", "critical"]
    allowed = set(levels[levels.index(level) :])
    errors = objects(server.errors())
    assert {line["level"] for line in errors} <= allowed
    assert {line["level_told"] for line in errors if "level_told" in line} == allowed
    access = [line for line in objects(server.output()) if "path" in line]
    assert bool(access) == (level in ("debug", "info"))


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"WORKERS": "0", "TIMEOUT": "x"}, "TIMEOUT='x'"),
        ({"MODULE_NAME": "missing"}, "no application: there is no module missing"),
        ({"VARIABLE_NAME": "missing"}, "'missing' in 'telling'"),
        ({"PRE_START_PATH": "./hook"}, "has failed with status 4"),
        ({"WORKER_TMP_DIR": "/missing", "PORT": "x"}, "/tmp is used in its place"),
        ({"PROMETHEUS_MULTIPROC_DIR": "/dev/null"}, "is not allowed: it is not a"),
    ],
)
def test_one_line_errors_are_json_as_well(
    project: Path, start: Start, variables: dict[str, str], told: str
) -> None:
    (project / "telling.py").write_text(APPLICATION)
    (project / "hook").write_text(f"#!{sys.executable}\nraise SystemExit(4)\n")
    (project / "hook").chmod(0o755)
    server = start(LOG_FORMAT="json", **{"MODULE_NAME": "telling", **variables})
    assert server.wait() != 0
    messages = [line["message"] for line in objects(server.errors())]
    assert [message for message in messages if told in message]


def test_a_preloaded_application_that_fails_is_json(
    project: Path, start: Start
) -> None:
    (project / "failing.py").write_text("1 / 0\n")
    server = start("--preload", MODULE_NAME="failing", LOG_FORMAT="json")
    assert server.wait() != 0
    assert "ZeroDivisionError" in objects(server.errors())[-1]["traceback"]


def test_what_is_printed_passes_through(start_logging: Start) -> None:
    server = start_logging(LOG_FORMAT="json")
    ask_and_stop(server, ("/print",))
    lines = server.output().splitlines()
    assert "printed" in lines
    lines.remove("printed")
    assert objects("\n".join(lines))


def test_files_reopened_and_off(project: Path, start_logging: Start) -> None:
    server = start_logging(ACCESS_LOG="access", ERROR_LOG="error", LOG_FORMAT="json")
    pid = int(wait_for(server.body))
    server.get("/log")
    for name in ("access", "error"):
        (project / name).rename(project / f"{name}.1")
    os.kill(pid, signal.SIGUSR1)
    wait_for(lambda: (project / "access").exists() and (project / "error").exists())
    ask_and_stop(server, ("/log?2",))
    old, new = (project / "error.1").read_text(), (project / "error").read_text()
    for text in (old, new):
        assert [line for line in objects(text) if line["message"] == "told as info"]
    paths = [line["path"] for line in objects((project / "access").read_text())]
    assert paths[-1] == "/log?2"
    assert "settings" in objects(server.output())[0]
    off = start_logging(ACCESS_LOG="", ERROR_LOG="")
    ask_and_stop(off)
    assert "Traceback" not in off.errors().partition("Exception in thread")[0]
    assert len(off.output().splitlines()) == 1


def test_a_user_s_own_configuration_wins(project: Path, start_logging: Start) -> None:
    (project / "conf.py").write_text(
        "logconfig_dict = {'formatters': {'generic': {'format': 'mine %(message)s'}}}\n"
    )
    server = start_logging(GUNICORN_CONF="conf.py")
    ask_and_stop(server, ("/log",))
    lines = server.errors().splitlines() + server.output().splitlines()
    [report] = [line for line in lines if not line.startswith("mine ")]
    assert json.loads(report)["loglevel"] == "info"


def test_a_user_s_own_logger_class_wins(project: Path, start_logging: Start) -> None:
    (project / "conf.py").write_text("logger_class = 'gunicorn.glogging.Logger'\n")
    server = start_logging(GUNICORN_CONF="conf.py")
    ask_and_stop(server, ("/log",))
    assert re.search(r"^\[[\d-]+ [\d:]+ [+-]\d{4}\] \[", server.errors(), re.MULTILINE)


def test_workers_of_gunicorn_write_the_same_lines(project: Path, start: Start) -> None:
    (project / "plain.py").write_text(
        "def app(environ, start_response):\n"
        "    start_response('201 Created', [])\n"
        "    return [b'plain']\n"
    )
    server = start(
        MODULE_NAME="plain",
        WORKER_CLASS="gthread",
        LOG_FORMAT="json",
        ACCESS_LOG_EXCLUDE="/health",
    )
    ask_and_stop(server, ("/health?x", "/a%20b?c=%22"))
    *_, line = objects(server.output())
    assert (line["method"], line["path"], line["status"]) == (
        "GET",
        "/a%20b?c=%22",
        201,
    )
    assert line["client"].startswith("127.0.0.1") and line["duration_ms"] >= 0
    assert "/health" not in server.output()


def test_statsd_is_gunicorn_s(start_logging: Start) -> None:
    server = start_logging("--statsd-host", "127.0.0.1:9", LOG_FORMAT="json")
    ask_and_stop(server)
    assert objects(server.errors())
    assert "/raise" in [line.get("path") for line in objects(server.output())]
